"""What the claims look at: each finding is whether scores keep a bound, and the figures that say so."""

from collections.abc import Callable
from dataclasses import dataclass

from deltadistill.metrics.measures import Measure
from deltadistill.pipeline.results.equal_cost import LENGTH, Pair, copy_length_at_cost
from deltadistill.pipeline.results.scores import Score, Scores, ScoresByLength, average
from deltadistill.pipeline.results.variants import Role, Variants, called, leading


class NotMeasuredError(Exception):
    """A variant or sequence length that a claim needs was not run."""


@dataclass(frozen=True)
class Measured:
    """The scores that claims are judged on, asked for by role: the variant that leads stands for it."""

    table: Scores
    variants: Variants

    def called(self, role: Role) -> str:
        """The label of what stands for a role."""
        return called(self.variants, role)

    def of(self, role: Role) -> ScoresByLength:
        """Scores of what stands for a role; empty where nothing does."""
        return self.table.get(leading(self.variants, role), {})

    def at(self, role: Role, length: int) -> dict[int, Score]:
        """Its scores at a sequence length, by seed. Raises NotMeasuredError."""
        if length not in self.of(role):
            raise NotMeasuredError(f"{self.called(role)} at T = {length}")
        return dict(self.of(role)[length])

    def scores(self, role: Role, length: int) -> dict[int, float]:
        """The scores alone."""
        return {seed: score.score for seed, score in self.at(role, length).items()}

    def consistency(self, role: Role, length: int) -> dict[int, float]:
        """Consistency by seed. Raises NotMeasuredError."""
        by_seed = {seed: score.consistency for seed, score in self.at(role, length).items()}
        if None in by_seed.values():
            raise NotMeasuredError(f"the consistency of {self.called(role)} at T = {length}")
        return by_seed


Finding = Callable[[Measured], tuple[bool, str]]
"""Maps measurements to whether the bound is kept, and the figures; raises NotMeasuredError."""


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


def _minus(first: dict[int, float], second: dict[int, float]) -> _Difference:
    return _Difference(tuple(first[seed] - second[seed] for seed in sorted(first)))


def _mean(by_seed: dict[int, float]) -> float:
    return average(list(by_seed.values()))[0]


def cost(limits: dict[int, float]) -> Finding:
    """Our cost, a share of the teacher's MACs, at most `limits` at their T."""

    def found(measured: Measured) -> tuple[bool, str]:
        ratios = {t: _mean({s: at.macs_ratio for s, at in measured.at("ours", t).items()}) for t in limits}
        holds = all(ratios[length] <= limit for length, limit in limits.items())
        return holds, f"{by_length(ratios, digits=3)} of the teacher's MACs"

    return found


def by_length(values: dict[int, float], *, digits: int) -> str:
    """A value alone, or several with their T."""
    if len(values) == 1:
        return f"{next(iter(values.values())):.{digits}f}"
    return " and ".join(f"{value:.{digits}f} at T = {length}" for length, value in values.items())


def near_finetuned(margin: float) -> Finding:
    """Ours at T = 3 at most `margin` points below the network trained on for as long."""

    def found(measured: Measured) -> tuple[bool, str]:
        finetuned, ours = measured.scores("finetuned", 3), measured.scores("ours", 3)
        difference = _minus(ours, finetuned)
        return difference.mean >= -margin, _beside(measured, ours, finetuned, difference)

    return found


def _beside(
    measured: Measured, ours: dict[int, float], finetuned: dict[int, float], difference: _Difference
) -> str:
    names = measured.called("ours"), measured.called("finetuned")
    return f"{names[0]} {_mean(ours):.2f}, {names[1]} {_mean(finetuned):.2f}: {difference}"


def ahead(rival: Role, margins: dict[int, float]) -> Finding:
    """Ours ahead of `rival` by at least `margins` points at their T."""

    def found(measured: Measured) -> tuple[bool, str]:
        leads = {t: _minus(measured.scores("ours", t), measured.scores(rival, t)) for t in margins}
        figures = "; ".join(f"T = {length}: {lead}" for length, lead in leads.items())
        return all(leads[t].mean >= margin for t, margin in margins.items()), figures

    return found


def ahead_of_copying_at_equal_cost(measured: Measured) -> tuple[bool, str]:
    """Ours ahead of copying at the length whose MACs differ least."""
    ours, copy = measured.called("ours"), measured.called("copy")
    rivals = {length: _copy_at_our_cost(measured, length) for length in (3, 10)}
    leads = {t: _minus(measured.scores("ours", t), measured.scores("copy", rivals[t])) for t in rivals}
    figures = "; ".join(f"{ours} T = {t} against {copy} T = {rivals[t]}: {lead}" for t, lead in leads.items())
    return all(lead.mean > 0 for lead in leads.values()), figures


def _copy_at_our_cost(measured: Measured, length: int) -> int:
    rival = copy_length_at_cost(measured.at("ours", length), measured.of("copy"))
    if rival is None:
        raise NotMeasuredError(f"copying at the MACs of {measured.called('ours')} at T = {length}")
    return rival


def ahead_by_search(pairs: tuple[Pair, ...]) -> Finding:
    """Every searched network more accurate than its everything-compressed one."""

    def found(measured: Measured) -> tuple[bool, str]:
        if not pairs:
            raise NotMeasuredError("a searched beside an everything-compressed network of equal MACs")
        leads = {pair: _minus(*(_scores_of(measured, name) for name in _names(pair))) for pair in pairs}
        figures = "; ".join(
            f"{' against '.join(measured.variants[name].label for name in _names(pair))}: {lead}"
            for pair, lead in leads.items()
        )
        return all(lead.mean > 0 for lead in leads.values()), figures

    return found


def _names(pair: Pair) -> tuple[str, str]:
    return pair.searched, pair.compressed


def _scores_of(measured: Measured, name: str) -> dict[int, float]:
    if LENGTH not in measured.table.get(name, {}):
        raise NotMeasuredError(f"{name} at T = {LENGTH}")
    return {seed: score.score for seed, score in measured.table[name][LENGTH].items()}


def drops_least(measured: Measured) -> tuple[bool, str]:
    """Ours loses less from T = 1 to T = 10 than copying and feature distillation."""
    roles: tuple[Role, ...] = ("ours", "copy", "feature")
    drops = {role: _minus(measured.scores(role, 1), measured.scores(role, 10)) for role in roles}
    figures = "; ".join(f"{measured.called(role)} loses {drop.mean:.2f}" for role, drop in drops.items())
    return drops["ours"].mean < min(drops["copy"].mean, drops["feature"].mean), figures


def steadier(length: int, measure: Measure) -> Finding:
    """Ours at T = `length` more consistent than the finetuned network on every frame."""

    def found(measured: Measured) -> tuple[bool, str]:
        ours, base = measured.consistency("ours", length), measured.consistency("finetuned", 1)
        difference = _minus(ours, base)
        accuracies = [_mean(measured.scores(*which)) for which in (("ours", length), ("finetuned", 1))]
        beside = f"{measure.name} {accuracies[0]:.2f} and {accuracies[1]:.2f}"
        return difference.mean > 0, f"{_beside(measured, ours, base, difference)}; {beside}"

    return found


def good_teacher(bound: float, measure: Measure) -> Finding:
    """The teacher's score at least `bound`."""

    def found(measured: Measured) -> tuple[bool, str]:
        score = _mean(measured.scores("teacher", 1))
        return score >= bound, f"{score:.2f} {measure.name}"

    return found
