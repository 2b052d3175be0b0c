"""Which of the paper's claims hold here, judged from the measured figures.

The bounds are fixed before any measurement, but for one that says so, and are not softened: a claim that
misses its bound by a hair does not hold. A claim about something that was not run is "not measured".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from deltadistill.measures import MAP50, MIOU, Measure
from deltadistill.report.equal_cost import LENGTH, Pair, copy_length_at_cost_of_delta
from deltadistill.report.scores import Score, Scores, average

AFTERWARDS = "this bound was added after the first measurements"
Verdict = Literal["holds", "does not hold", "not measured"]


@dataclass(frozen=True)
class Claim:
    """One claim, the bound it is judged by, the figures measured here, and the verdict."""

    name: str
    text: str
    bound: str
    figures: str
    verdict: Verdict


def judged(claims: tuple[Claim, ...]) -> list[Claim]:
    """The claims that the measurements decide, in order."""
    return [claim for claim in claims if claim.verdict != "not measured"]


def unmeasured(claims: tuple[Claim, ...]) -> list[Claim]:
    """The claims that were not measured, in order."""
    return [claim for claim in claims if claim.verdict == "not measured"]


@dataclass(frozen=True)
class _Difference:
    """A quantity per seed, so that its spread is that of paired differences."""

    by_seed: tuple[float, ...]

    @property
    def mean(self) -> float:
        return average(list(self.by_seed))[0]

    def __str__(self) -> str:
        mean, spread = average(list(self.by_seed))
        if spread is None:
            return f"{_signed(mean)} (one seed)"
        seeds = f"{len(self.by_seed)} seeds"
        inside = ", within the spread of the seeds" if abs(mean) <= spread else ""
        return f"{_signed(mean)} ± {spread:.2f} ({seeds}{inside})"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


class _NotMeasuredError(Exception):
    """A variant or sequence length that a claim needs was not run."""


def judge(
    table: Scores, *, reference: str, measure: Measure = MIOU, equal_cost: tuple[Pair, ...] = ()
) -> tuple[Claim, ...]:
    """Judge every claim on the scores (percent); ``reference`` is ``labels`` or ``teacher``.

    measure: what the scores are.
    equal_cost: searched networks, each beside an everything-compressed one of its MACs.
    """
    return tuple(
        _judge(table, rule, reference) for rule in (*_rules(measure), _search_rule(equal_cost, measure))
    )


@dataclass(frozen=True)
class _Rule:
    """A claim before it is judged; ``found`` returns whether it holds, and the figures."""

    name: str
    text: str
    bound: str
    found: Callable[[Scores], tuple[bool, str]]
    needs_labels: bool = False


def _judge(table: Scores, rule: _Rule, reference: str) -> Claim:
    verdict: Verdict = "not measured"
    if rule.needs_labels and reference != "labels":
        figures = "there are no labels to measure accuracy against"
    else:
        try:
            holds, figures = rule.found(table)
            verdict = "holds" if holds else "does not hold"
        except _NotMeasuredError as missing:
            figures = f"{missing} was not run in this experiment"
    return Claim(name=rule.name, text=rule.text, bound=rule.bound, figures=figures, verdict=verdict)


def _at(table: Scores, variant: str, length: int) -> dict[int, Score]:
    try:
        return dict(table[variant][length])
    except KeyError:
        raise _NotMeasuredError(f"{variant} at T = {length}") from None


def _scores(table: Scores, variant: str, length: int) -> dict[int, float]:
    return {seed: score.score for seed, score in _at(table, variant, length).items()}


def _consistency(table: Scores, variant: str, length: int) -> dict[int, float]:
    by_seed = {seed: score.consistency for seed, score in _at(table, variant, length).items()}
    if None in by_seed.values():
        raise _NotMeasuredError(f"the consistency of {variant} at T = {length}")
    return by_seed


def _minus(first: dict[int, float], second: dict[int, float]) -> _Difference:
    return _Difference(tuple(first[seed] - second[seed] for seed in sorted(first)))


def _mean(by_seed: dict[int, float]) -> float:
    return average(list(by_seed.values()))[0]


def _cost(limits: dict[int, float]) -> Callable[[Scores], tuple[bool, str]]:
    def found(table: Scores) -> tuple[bool, str]:
        ratios = {t: _mean({s: at.macs_ratio for s, at in _at(table, "delta", t).items()}) for t in limits}
        holds = all(ratios[length] <= limit for length, limit in limits.items())
        return holds, f"{_by_length(ratios, digits=3)} of the teacher's MACs"

    return found


def _by_length(values: dict[int, float], *, digits: int) -> str:
    """A value alone, or several with their T."""
    if len(values) == 1:
        return f"{next(iter(values.values())):.{digits}f}"
    return " and ".join(f"{value:.{digits}f} at T = {length}" for length, value in values.items())


def _near_finetuned(margin: float) -> Callable[[Scores], tuple[bool, str]]:
    def found(table: Scores) -> tuple[bool, str]:
        finetuned, delta = _scores(table, "finetuned", 3), _scores(table, "delta", 3)
        difference = _minus(delta, finetuned)
        figures = f"delta {_mean(delta):.2f}, finetuned {_mean(finetuned):.2f}: {difference}"
        return difference.mean >= -margin, figures

    return found


def _ahead(rival: str, margins: dict[int, float]) -> Callable[[Scores], tuple[bool, str]]:
    def found(table: Scores) -> tuple[bool, str]:
        leads = {t: _minus(_scores(table, "delta", t), _scores(table, rival, t)) for t in margins}
        figures = "; ".join(f"T = {length}: {lead}" for length, lead in leads.items())
        return all(leads[t].mean >= margin for t, margin in margins.items()), figures

    return found


def _ahead_of_copying_at_equal_cost(table: Scores) -> tuple[bool, str]:
    rivals = {length: _copy_at_cost_of_delta(table, length) for length in (3, 10)}
    leads = {t: _minus(_scores(table, "delta", t), _scores(table, "copy", rivals[t])) for t in rivals}
    figures = "; ".join(f"delta T = {t} against copy T = {rivals[t]}: {lead}" for t, lead in leads.items())
    return all(lead.mean > 0 for lead in leads.values()), figures


def _copy_at_cost_of_delta(table: Scores, length: int) -> int:
    _at(table, "delta", length)
    rival = copy_length_at_cost_of_delta(table, length)
    if rival is None:
        raise _NotMeasuredError(f"copying at the MACs of delta at T = {length}")
    return rival


def _search_rule(pairs: tuple[Pair, ...], measure: Measure) -> "_Rule":
    def found(table: Scores) -> tuple[bool, str]:
        if not pairs:
            raise _NotMeasuredError("a searched beside an everything-compressed network of equal MACs")
        leads = {
            p: _minus(*(_scores(table, name, LENGTH) for name in (p.searched, p.compressed))) for p in pairs
        }
        figures = "; ".join(f"{p.searched} against {p.compressed}: {lead}" for p, lead in leads.items())
        return all(lead.mean > 0 for lead in leads.values()), figures

    return _Rule(
        "a search worth its steps",
        "The searched network is more accurate than the everything-compressed one of equal MACs.",
        f"more {measure.name} at T = 3 in every pair whose MACs differ by at most 2 %",
        found,
    )


def _drops_least(table: Scores) -> tuple[bool, str]:
    drops = {v: _minus(_scores(table, v, 1), _scores(table, v, 10)) for v in ("delta", "copy", "feature")}
    figures = "; ".join(f"{variant} loses {drop.mean:.2f}" for variant, drop in drops.items())
    return drops["delta"].mean < min(drops["copy"].mean, drops["feature"].mean), figures


def _steadier(length: int, measure: Measure) -> Callable[[Scores], tuple[bool, str]]:
    def found(table: Scores) -> tuple[bool, str]:
        delta, base = _consistency(table, "delta", length), _consistency(table, "finetuned", 1)
        difference = _minus(delta, base)
        accuracies = [_mean(_scores(table, *which)) for which in (("delta", length), ("finetuned", 1))]
        beside = f"{measure.name} {accuracies[0]:.2f} and {accuracies[1]:.2f}"
        figures = f"delta {_mean(delta):.2f}, finetuned {_mean(base):.2f}: {difference}; {beside}"
        return difference.mean > 0, figures

    return found


def _good_teacher(bound: float, measure: Measure) -> Callable[[Scores], tuple[bool, str]]:
    def found(table: Scores) -> tuple[bool, str]:
        score = _mean(_scores(table, "teacher", 1))
        return score >= bound, f"{score:.2f} {measure.name}"

    return found


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
}


def _rules(measure: Measure) -> tuple[_Rule, ...]:
    bounds, name = _BOUNDS[measure.key], measure.name
    return (
        _Rule(
            "half the compute",
            "At T = 3 delta distillation costs about half of the teacher.",
            f"at most {_by_length(bounds.compute, digits=2)} of the teacher's MACs",
            _cost(bounds.compute),
        ),
        _Rule(
            "accuracy kept",
            "At T = 3 no or only a small drop against a teacher trained for as long.",
            f"at most {bounds.kept:.1f} {name} below finetuned",
            _near_finetuned(bounds.kept),
        ),
        _Rule(
            "ahead of feature distillation",
            "Predicting changes is easier than predicting features, with equal students and budget.",
            f"at least {bounds.feature:g} {name} ahead at T = 3",
            _ahead("feature", {3: bounds.feature}),
        ),
        _Rule(
            "ahead of copying",
            "Better than repeating the key frame's prediction, and the more so the longer the sequence.",
            f"at least {bounds.copy[3]:g} {name} ahead at T = 3 and {bounds.copy[10]:g} at T = 10",
            _ahead("copy", bounds.copy),
        ),
        _Rule(
            "ahead of copying at equal cost",
            "Better than spending the same MACs on copying with shorter sequences (this project's bar).",
            f"more {name} at T = 3 and T = 10 than copying at the length whose MACs differ least, by at most "
            f"5 % of the dearer ({AFTERWARDS})",
            _ahead_of_copying_at_equal_cost,
        ),
        _Rule(
            "ahead of a cheaper network",
            "More accurate than an equally cheap per-frame network taught for as long (this project's bar).",
            f"at least {bounds.small:g} {name} ahead of small at T = 3",
            _ahead("small", {3: bounds.small}),
        ),
        _Rule(
            "a quarter of the compute",
            "At T = 10 delta distillation costs about a quarter of the teacher.",
            "at most 0.284 of the teacher's MACs, the larger of the paper's own shares (0.71 of 2.50 GMac)",
            _cost({10: 0.284}),
        ),
        _Rule(
            "steadier predictions",
            "Teacher and students together are temporally more consistent than the per-frame network (T+S).",
            "consistency of delta at T = 3 above that of finetuned on every frame",
            _steadier(3, measure),
        ),
        _Rule(
            "steadier teacher",
            "The distilled teacher alone is temporally more consistent than the per-frame network (T).",
            "consistency of delta at T = 1 above that of finetuned on every frame",
            _steadier(1, measure),
        ),
        _Rule(
            "robust to long sequences",
            "Accuracy drops less with growing T than that of copying and of feature distillation.",
            f"smallest loss of {name} from T = 1 to T = 10",
            _drops_least,
        ),
        _Rule(
            "a teacher worth distilling",
            "The teacher is good enough for the comparison to mean something (this project's own bar).",
            f"at least {bounds.teacher:g} {name}",
            _good_teacher(bounds.teacher, measure),
            needs_labels=True,
        ),
    )
