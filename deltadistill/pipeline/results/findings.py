"""What the claims look at: each finding is whether scores keep a bound, and the figures that say so."""

from collections.abc import Callable
from dataclasses import dataclass

from deltadistill.metrics.measures import Measure
from deltadistill.pipeline.results.equal_cost import LENGTH, Pair, copy_length_at_cost_of_delta
from deltadistill.pipeline.results.scores import Score, Scores, average

Finding = Callable[[Scores], tuple[bool, str]]
"""Maps scores to whether the bound is kept, and the figures; raises NotMeasuredError."""


class NotMeasuredError(Exception):
    """A variant or sequence length that a claim needs was not run."""


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


def _at(table: Scores, variant: str, length: int) -> dict[int, Score]:
    try:
        return dict(table[variant][length])
    except KeyError:
        raise NotMeasuredError(f"{variant} at T = {length}") from None


def _scores(table: Scores, variant: str, length: int) -> dict[int, float]:
    return {seed: score.score for seed, score in _at(table, variant, length).items()}


def _consistency(table: Scores, variant: str, length: int) -> dict[int, float]:
    by_seed = {seed: score.consistency for seed, score in _at(table, variant, length).items()}
    if None in by_seed.values():
        raise NotMeasuredError(f"the consistency of {variant} at T = {length}")
    return by_seed


def _minus(first: dict[int, float], second: dict[int, float]) -> _Difference:
    return _Difference(tuple(first[seed] - second[seed] for seed in sorted(first)))


def _mean(by_seed: dict[int, float]) -> float:
    return average(list(by_seed.values()))[0]


def cost(limits: dict[int, float]) -> Finding:
    """The cost of delta, a share of the teacher's MACs, at most `limits` at their T."""

    def found(table: Scores) -> tuple[bool, str]:
        ratios = {t: _mean({s: at.macs_ratio for s, at in _at(table, "delta", t).items()}) for t in limits}
        holds = all(ratios[length] <= limit for length, limit in limits.items())
        return holds, f"{by_length(ratios, digits=3)} of the teacher's MACs"

    return found


def by_length(values: dict[int, float], *, digits: int) -> str:
    """A value alone, or several with their T."""
    if len(values) == 1:
        return f"{next(iter(values.values())):.{digits}f}"
    return " and ".join(f"{value:.{digits}f} at T = {length}" for length, value in values.items())


def near_finetuned(margin: float) -> Finding:
    """Delta at T = 3 at most `margin` points below the network trained on for as long."""

    def found(table: Scores) -> tuple[bool, str]:
        finetuned, delta = _scores(table, "finetuned", 3), _scores(table, "delta", 3)
        difference = _minus(delta, finetuned)
        figures = f"delta {_mean(delta):.2f}, finetuned {_mean(finetuned):.2f}: {difference}"
        return difference.mean >= -margin, figures

    return found


def ahead(rival: str, margins: dict[int, float]) -> Finding:
    """Delta ahead of `rival` by at least `margins` points at their T."""

    def found(table: Scores) -> tuple[bool, str]:
        leads = {t: _minus(_scores(table, "delta", t), _scores(table, rival, t)) for t in margins}
        figures = "; ".join(f"T = {length}: {lead}" for length, lead in leads.items())
        return all(leads[t].mean >= margin for t, margin in margins.items()), figures

    return found


def ahead_of_copying_at_equal_cost(table: Scores) -> tuple[bool, str]:
    """Delta ahead of copying at the length whose MACs differ least."""
    rivals = {length: _copy_at_cost_of_delta(table, length) for length in (3, 10)}
    leads = {t: _minus(_scores(table, "delta", t), _scores(table, "copy", rivals[t])) for t in rivals}
    figures = "; ".join(f"delta T = {t} against copy T = {rivals[t]}: {lead}" for t, lead in leads.items())
    return all(lead.mean > 0 for lead in leads.values()), figures


def _copy_at_cost_of_delta(table: Scores, length: int) -> int:
    _at(table, "delta", length)
    rival = copy_length_at_cost_of_delta(table, length)
    if rival is None:
        raise NotMeasuredError(f"copying at the MACs of delta at T = {length}")
    return rival


def ahead_by_search(pairs: tuple[Pair, ...]) -> Finding:
    """Every searched network more accurate than its everything-compressed one."""

    def found(table: Scores) -> tuple[bool, str]:
        if not pairs:
            raise NotMeasuredError("a searched beside an everything-compressed network of equal MACs")
        leads = {
            p: _minus(*(_scores(table, name, LENGTH) for name in (p.searched, p.compressed))) for p in pairs
        }
        figures = "; ".join(f"{p.searched} against {p.compressed}: {lead}" for p, lead in leads.items())
        return all(lead.mean > 0 for lead in leads.values()), figures

    return found


def drops_least(table: Scores) -> tuple[bool, str]:
    """Delta loses less from T = 1 to T = 10 than copying and feature distillation."""
    drops = {v: _minus(_scores(table, v, 1), _scores(table, v, 10)) for v in ("delta", "copy", "feature")}
    figures = "; ".join(f"{variant} loses {drop.mean:.2f}" for variant, drop in drops.items())
    return drops["delta"].mean < min(drops["copy"].mean, drops["feature"].mean), figures


def steadier(length: int, measure: Measure) -> Finding:
    """Delta at T = `length` more consistent than the finetuned network on every frame."""

    def found(table: Scores) -> tuple[bool, str]:
        delta, base = _consistency(table, "delta", length), _consistency(table, "finetuned", 1)
        difference = _minus(delta, base)
        accuracies = [_mean(_scores(table, *which)) for which in (("delta", length), ("finetuned", 1))]
        beside = f"{measure.name} {accuracies[0]:.2f} and {accuracies[1]:.2f}"
        figures = f"delta {_mean(delta):.2f}, finetuned {_mean(base):.2f}: {difference}; {beside}"
        return difference.mean > 0, figures

    return found


def good_teacher(bound: float, measure: Measure) -> Finding:
    """The teacher's score at least `bound`."""

    def found(table: Scores) -> tuple[bool, str]:
        score = _mean(_scores(table, "teacher", 1))
        return score >= bound, f"{score:.2f} {measure.name}"

    return found
