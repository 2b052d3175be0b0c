"""The paper's claims, and this project's own bars, with the bounds that they are judged by.

Bounds are the measure's (metrics/measures.py) or stand here. They are fixed before any measurement, but for
one that says so, and are not softened.
"""

from dataclasses import dataclass

from deltadistill.metrics.measures import Bounds, Measure
from deltadistill.pipeline.results.equal_cost import Pair
from deltadistill.pipeline.results.findings import (
    Finding,
    ahead,
    ahead_by_search,
    ahead_of_copying_at_equal_cost,
    by_length,
    cost,
    drops_least,
    good_teacher,
    near_finetuned,
    steadier,
)
from deltadistill.pipeline.results.variants import Role, Variants, called

AFTERWARDS = "this bound was added after the first measurements"


@dataclass(frozen=True)
class Rule:
    """A claim before it is judged; ``found`` returns whether it holds, and the figures."""

    name: str
    text: str
    bound: str
    found: Finding
    needs_labels: bool = False


@dataclass(frozen=True)
class _Terms:
    """What the rules of an experiment are put in: the measure, its bounds, and what variants are called."""

    measure: Measure
    variants: Variants
    equal_cost: tuple[Pair, ...]

    @property
    def name(self) -> str:
        return self.measure.name

    @property
    def bounds(self) -> Bounds:
        assert self.measure.bounds is not None  # a rule that asks for points is not made without
        return self.measure.bounds

    def called(self, role: Role) -> str:
        return called(self.variants, role)


def rules_of(measure: Measure, variants: Variants, equal_cost: tuple[Pair, ...] = ()) -> tuple[Rule, ...]:
    """All rules for scores of `measure`, in terms of roles; the others as for claims.judge.

    Of a measure without bounds those that ask for none.
    """
    terms = _Terms(measure, variants, equal_cost)
    return tuple(make(terms) for make in _RULES if measure.bounds or make not in _WITH_BOUNDS)


def _half_the_compute(of: _Terms) -> Rule:
    return Rule(
        "half the compute",
        "At T = 3 delta distillation costs about half of the teacher.",
        f"at most {by_length(of.bounds.compute, digits=2)} of the teacher's MACs",
        cost(of.bounds.compute),
    )


def _accuracy_kept(of: _Terms) -> Rule:
    return Rule(
        "accuracy kept",
        "At T = 3 no or only a small drop against a teacher trained for as long.",
        f"at most {of.bounds.kept:.1f} {of.name} below {of.called('finetuned')}",
        near_finetuned(of.bounds.kept),
    )


def _ahead_of_feature(of: _Terms) -> Rule:
    return Rule(
        "ahead of feature distillation",
        "Predicting changes is easier than predicting features, with equal students and budget.",
        f"at least {of.bounds.feature:g} {of.name} ahead at T = 3",
        ahead("feature", {3: of.bounds.feature}),
    )


def _ahead_of_copying(of: _Terms) -> Rule:
    copy = of.bounds.copy
    return Rule(
        "ahead of copying",
        "Better than repeating the key frame's prediction, and the more so the longer the sequence.",
        f"at least {copy[3]:g} {of.name} ahead at T = 3 and {copy[10]:g} at T = 10",
        ahead("copy", copy),
    )


def _ahead_of_copying_at_equal_cost(of: _Terms) -> Rule:
    return Rule(
        "ahead of copying at equal cost",
        "Better than spending the same MACs on copying with shorter sequences (this project's bar).",
        f"more {of.name} at T = 3 and T = 10 than copying at the length whose MACs differ least, by at most "
        f"5 % of the dearer ({AFTERWARDS})",
        ahead_of_copying_at_equal_cost,
    )


def _ahead_of_a_cheaper_network(of: _Terms) -> Rule:
    return Rule(
        "ahead of a cheaper network",
        "More accurate than an equally cheap per-frame network taught for as long (this project's bar).",
        f"at least {of.bounds.small:g} {of.name} ahead of {of.called('small')} at T = 3",
        ahead("small", {3: of.bounds.small}),
    )


def _a_quarter_of_the_compute(of: _Terms) -> Rule:
    return Rule(
        "a quarter of the compute",
        "At T = 10 delta distillation costs about a quarter of the teacher.",
        "at most 0.284 of the teacher's MACs, the larger of the paper's own shares (0.71 of 2.50 GMac)",
        cost({10: 0.284}),
    )


def _steadier_predictions(of: _Terms) -> Rule:
    return Rule(
        "steadier predictions",
        "Teacher and students together are temporally more consistent than the per-frame network (T+S).",
        f"consistency of {of.called('ours')} at T = 3 above that of {of.called('finetuned')} on every frame",
        steadier(3, of.measure),
    )


def _steadier_teacher(of: _Terms) -> Rule:
    return Rule(
        "steadier teacher",
        "The distilled teacher alone is temporally more consistent than the per-frame network (T).",
        f"consistency of {of.called('ours')} at T = 1 above that of {of.called('finetuned')} on every frame",
        steadier(1, of.measure),
    )


def _robust_to_long_sequences(of: _Terms) -> Rule:
    return Rule(
        "robust to long sequences",
        "Accuracy drops less with growing T than that of copying and of feature distillation.",
        f"smallest loss of {of.name} from T = 1 to T = 10",
        drops_least,
    )


def _a_teacher_worth_distilling(of: _Terms) -> Rule:
    return Rule(
        "a teacher worth distilling",
        "The teacher is good enough for the comparison to mean something (this project's own bar).",
        f"at least {of.bounds.teacher:g} {of.name}",
        good_teacher(of.bounds.teacher, of.measure),
        needs_labels=True,
    )


def _a_search_worth_its_steps(of: _Terms) -> Rule:
    return Rule(
        "a search worth its steps",
        "The searched network is more accurate than the everything-compressed one of equal MACs.",
        f"more {of.name} at T = 3 in every pair whose MACs differ by at most 2 %",
        ahead_by_search(of.equal_cost),
    )


_RULES = (
    _half_the_compute,
    _accuracy_kept,
    _ahead_of_feature,
    _ahead_of_copying,
    _ahead_of_copying_at_equal_cost,
    _ahead_of_a_cheaper_network,
    _a_quarter_of_the_compute,
    _steadier_predictions,
    _steadier_teacher,
    _robust_to_long_sequences,
    _a_teacher_worth_distilling,
    _a_search_worth_its_steps,
)
_WITH_BOUNDS = (
    _half_the_compute,
    _accuracy_kept,
    _ahead_of_feature,
    _ahead_of_copying,
    _ahead_of_a_cheaper_network,
    _a_teacher_worth_distilling,
)
