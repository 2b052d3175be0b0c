"""Which trial is taken: the fastest that keeps the fidelity asked for, never one slower than per frame."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from deltadistill.acceleration.trial import Point, Trial

FAR = 0.3  # below what is asked: a few sequences show that nothing will mend it
_NEAR = (0.02, 0.05, 0.1, FAR)  # below what is asked: distillation may mend it, the less the likelier
_FASTER = 1.02  # than per frame, or it is not worth having: times differ by as much from day to day


@dataclass(frozen=True)
class Choice:
    """taken: what the runner does. plain: the fastest per-frame run that keeps what is asked. unsure: what
    would be taken instead, where the lower end of what is kept did not count."""

    taken: Point
    plain: Point
    unsure: Point | None = None

    @property
    def is_faster(self) -> bool:
        """Whether the runner saves time against the per-frame network."""
        return self.taken.trial.kind != "per frame"


def choose(trials: Sequence[Trial], *, asked: float) -> Choice:
    """Choose among trials, of which one at least is per frame at full precision.

    Kept is what is asked where the lower end of what is kept is not below it. Of two that are equally fast,
    the one that keeps more; then the one that was tried first.
    """
    points = [point for trial in trials for point in trial.points()]
    plain = fastest(of_kinds(points, ["per frame"]), asked) or _exact(points)
    taken = fastest([plain, *points], asked) or plain
    taken = taken if taken.speedup >= _FASTER * plain.speedup else plain
    unsure = fastest_by_mean(points, asked)
    return Choice(taken, plain, unsure if unsure and unsure.speedup >= _FASTER * taken.speedup else None)


def fastest(points: Iterable[Point], asked: float) -> Point | None:
    """The fastest point that keeps what is asked at its lower end; None where none does."""
    return _fastest(point for point in points if point.lower >= asked)


def fastest_by_mean(points: Iterable[Point], asked: float) -> Point | None:
    """The fastest point that keeps what is asked on the whole, whatever its lower end."""
    return _fastest(point for point in points if point.kept >= asked)


def _fastest(points: Iterable[Point]) -> Point | None:
    return max(points, key=lambda point: (point.speedup, point.kept), default=None)


def of_kinds(points: Iterable[Point], kinds: Collection[str]) -> list[Point]:
    """Those of these kinds."""
    return [point for point in points if point.trial.kind in kinds]


def likeliest(trials: Sequence[Trial], *, asked: float) -> Trial | None:
    """The delta network that is fastest where it keeps nearly what is asked; of these the most trained.

    Alone or with filled frames; returned is the trial of it alone.
    """
    tried = sorted((trial for trial in trials if trial.is_delta), key=lambda trial: -trial.steps)
    points = [point for trial in tried for point in trial.points()]
    for within in _NEAR:
        found = fastest_by_mean(points, asked - within)
        if found is not None and found.speedup > 1:
            return next(each for each in tried if each.kind == "delta" and each.has_students_of(found.trial))
    return None


def _exact(points: Sequence[Point]) -> Point:
    """The fastest per-frame run at full precision."""
    exact = [point for point in of_kinds(points, ["per frame"]) if point.trial.precision == "fp32"]
    return max(exact, key=lambda point: point.speedup)


def is_dominated(trial: Trial, others: Iterable[Trial], *, margin: float = 0.02) -> bool:
    """Whether for every point of a trial another one is as fast and by `margin` more faithful.

    Only delta networks dominate: moved answers that do may still be beaten by both together.
    """
    rivals = [point for other in others if other.kind == "delta" for point in other.points()]
    return all(
        any(rival.speedup >= point.speedup and rival.kept >= point.kept + margin for rival in rivals)
        for point in trial.points()
    )


def is_hopeless(trial: Trial, *, asked: float, within: float) -> bool:
    """Whether no point that saves time comes within `within` of what is asked."""
    return not any(point.kept >= asked - within for point in trial.points() if point.speedup >= _FASTER)
