"""The paper's claims, and this project's own bars, with the bounds that they are judged by.

The bounds are fixed before any measurement, but for one that says so, and are not softened.
"""

from dataclasses import dataclass

from deltadistill.metrics.measures import MAP50, MIOU, TOP1, Measure
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
from deltadistill.pipeline.results.variants import Variants, called

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
class _Bounds:
    """What is asked of a task: shares of the teacher's MACs, and scores in points."""

    compute: dict[int, float]  # at these T
    kept: float  # below finetuned
    feature: float  # ahead at T = 3
    copy: dict[int, float]  # ahead at these T
    small: float  # ahead at T = 3
    teacher: float


_BOUNDS = {
    MIOU.key: _Bounds(compute={3: 0.50}, kept=1.0, feature=5, copy={3: 2, 10: 8}, small=1, teacher=75),
    MAP50.key: _Bounds(
        compute={3: 0.55, 10: 0.40}, kept=2.0, feature=2, copy={3: 1, 10: 5}, small=1, teacher=50
    ),
    TOP1.key: _Bounds(compute={3: 0.50}, kept=1.0, feature=1, copy={3: 1, 10: 2}, small=1, teacher=70),
}


def rules_of(measure: Measure, variants: Variants, equal_cost: tuple[Pair, ...] = ()) -> tuple[Rule, ...]:
    """All rules for scores of `measure`, in terms of roles; the others as for claims.judge."""
    bounds, name = _BOUNDS[measure.key], measure.name
    ours, finetuned, small = (called(variants, role) for role in ("ours", "finetuned", "small"))
    return (
        Rule(
            "half the compute",
            "At T = 3 delta distillation costs about half of the teacher.",
            f"at most {by_length(bounds.compute, digits=2)} of the teacher's MACs",
            cost(bounds.compute),
        ),
        Rule(
            "accuracy kept",
            "At T = 3 no or only a small drop against a teacher trained for as long.",
            f"at most {bounds.kept:.1f} {name} below {finetuned}",
            near_finetuned(bounds.kept),
        ),
        Rule(
            "ahead of feature distillation",
            "Predicting changes is easier than predicting features, with equal students and budget.",
            f"at least {bounds.feature:g} {name} ahead at T = 3",
            ahead("feature", {3: bounds.feature}),
        ),
        Rule(
            "ahead of copying",
            "Better than repeating the key frame's prediction, and the more so the longer the sequence.",
            f"at least {bounds.copy[3]:g} {name} ahead at T = 3 and {bounds.copy[10]:g} at T = 10",
            ahead("copy", bounds.copy),
        ),
        Rule(
            "ahead of copying at equal cost",
            "Better than spending the same MACs on copying with shorter sequences (this project's bar).",
            f"more {name} at T = 3 and T = 10 than copying at the length whose MACs differ least, by at most "
            f"5 % of the dearer ({AFTERWARDS})",
            ahead_of_copying_at_equal_cost,
        ),
        Rule(
            "ahead of a cheaper network",
            "More accurate than an equally cheap per-frame network taught for as long (this project's bar).",
            f"at least {bounds.small:g} {name} ahead of {small} at T = 3",
            ahead("small", {3: bounds.small}),
        ),
        Rule(
            "a quarter of the compute",
            "At T = 10 delta distillation costs about a quarter of the teacher.",
            "at most 0.284 of the teacher's MACs, the larger of the paper's own shares (0.71 of 2.50 GMac)",
            cost({10: 0.284}),
        ),
        Rule(
            "steadier predictions",
            "Teacher and students together are temporally more consistent than the per-frame network (T+S).",
            f"consistency of {ours} at T = 3 above that of {finetuned} on every frame",
            steadier(3, measure),
        ),
        Rule(
            "steadier teacher",
            "The distilled teacher alone is temporally more consistent than the per-frame network (T).",
            f"consistency of {ours} at T = 1 above that of {finetuned} on every frame",
            steadier(1, measure),
        ),
        Rule(
            "robust to long sequences",
            "Accuracy drops less with growing T than that of copying and of feature distillation.",
            f"smallest loss of {name} from T = 1 to T = 10",
            drops_least,
        ),
        Rule(
            "a teacher worth distilling",
            "The teacher is good enough for the comparison to mean something (this project's own bar).",
            f"at least {bounds.teacher:g} {name}",
            good_teacher(bounds.teacher, measure),
            needs_labels=True,
        ),
        Rule(
            "a search worth its steps",
            "The searched network is more accurate than the everything-compressed one of equal MACs.",
            f"more {name} at T = 3 in every pair whose MACs differ by at most 2 %",
            ahead_by_search(equal_cost),
        ),
    )
