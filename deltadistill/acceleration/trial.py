"""What was tried, and what came out: time and fidelity of one way to answer, at every period."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from deltadistill.runtime.between import DELTA, Between

Kind = Literal["per frame", "copied", "moved", "delta", "delta, copied", "delta, moved", "online", "students"]
NO_TIME = "no time was left to judge it"  # why a trial ended that a call which goes on begins again
TAKEN_BACK = "distillation taken back"  # in the name of a trial that has no students of its own
KINDS = ("per frame", "copied", "moved", "delta", "delta, copied", "delta, moved", "online", "students")


class Point(NamedTuple):
    """A way at a period. speedup: over the best per-frame run at full precision. kept: the fidelity, or what
    is kept of the score against the truth; lower: its lower end, which is compared with what is asked for.
    score: against the truth, where there is one."""

    trial: "Trial"
    period: int
    speedup: float
    fidelity: float
    kept: float
    lower: float
    score: float | None

    @property
    def threshold(self) -> float | None:
        """Of change, grey levels, that makes a key frame; None where these come at fixed distances."""
        return self.trial.thresholds.get(self.period)

    @property
    def key_share(self) -> float:
        """Of the frames, that are key frames."""
        return self.trial.key_shares.get(self.period, 1 / self.period)


@dataclass(frozen=True)
class Trial:
    """A way to answer every frame.

    design: of the students, where it is a delta network; steps: of their distillation. compressed: names of
    the layers that have students, where these were chosen by time. between: how frames that are not computed
    are answered. memory_mib: the peak of a stream by theory, weights apart; None where nothing asked for it.
    speedups, fidelities, kept, lower, scores: by period; 1 is every frame in full. Fidelity is of the
    choosing part.
    thresholds, key_shares: by period too, which is their mean distance where key frames come by change, or
        where a student learns online, whose key frames are those that it learns from. passing: the score from
        which that student does not learn on; steps: its own before the video began.
    parts_ms: medians in milliseconds: "frame", "key", "delta", "filled".
    ended: why it was not tried further; "" where it was. seconds: that it took.
    """

    name: str
    kind: Kind
    engine: str = ""
    precision: str = "fp32"
    design: str = ""
    steps: int = 0
    compressed: Sequence[str] = ()
    between: Between = DELTA
    speedups: Mapping[int, float] = field(default_factory=dict)
    fidelities: Mapping[int, float] = field(default_factory=dict)
    kept: Mapping[int, float] = field(default_factory=dict)
    lower: Mapping[int, float] = field(default_factory=dict)
    scores: Mapping[int, float] = field(default_factory=dict)
    thresholds: Mapping[int, float] = field(default_factory=dict)
    key_shares: Mapping[int, float] = field(default_factory=dict)
    parts_ms: Mapping[str, float] = field(default_factory=dict)
    passing: float | None = None
    ended: str = ""
    seconds: float = 0.0
    memory_mib: float | None = None

    @property
    def is_by_change(self) -> bool:
        """Whether key frames come where the picture has changed."""
        return bool(self.thresholds)

    @property
    def is_delta(self) -> bool:
        """Whether students between key frames answer, alone or with filled frames."""
        return bool(self.design) and self.kind.startswith("delta")

    def has_students_of(self, other: "Trial") -> bool:
        """Whether both are of the same delta network; those without one have the same."""
        mine, others = ((each.design, tuple(each.compressed), each.steps) for each in (self, other))
        return mine == others

    def points(self) -> Iterator[Point]:
        """Every period at which both time and fidelity are known."""
        for period, speedup in self.speedups.items():
            if period in self.fidelities:
                kept, lower = self.kept[period], self.lower[period]
                score = self.scores.get(period)
                yield Point(self, period, speedup, self.fidelities[period], kept, lower, score)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        tables = {name: dict(each) for name, each in values.items() if isinstance(each, Mapping)}
        return {
            **values,
            **tables,
            "compressed": list(self.compressed),
            "between": self.between.model_dump(),
        }


def from_json(values: Mapping[str, Any]) -> Trial:
    """A trial as it was written; ValueError for anything else."""
    tables = ("speedups", "fidelities", "kept", "lower", "scores", "thresholds", "key_shares")
    try:
        read = {name: {int(key): float(each) for key, each in values[name].items()} for name in tables}
        between = Between.model_validate(values["between"])
        names = tuple(str(name) for name in values["compressed"])
        trial = Trial(**{**values, **read, "between": between, "compressed": names})
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"no trial: {error}") from None
    if trial.kind not in KINDS:
        raise ValueError(f"no trial: kind {trial.kind!r}")
    return trial
