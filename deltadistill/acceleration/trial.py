"""What was tried, and what came out: time and fidelity of one way to answer, at every period."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

Kind = Literal["per frame", "copied", "moved", "delta"]
KINDS = ("per frame", "copied", "moved", "delta")


class Point(NamedTuple):
    """A way at a period. speedup: over the best per-frame run at full precision. kept: what is compared with
    the fidelity that is asked for. score: against the truth, where there is one."""

    trial: "Trial"
    period: int
    speedup: float
    fidelity: float
    kept: float
    score: float | None


@dataclass(frozen=True)
class Trial:
    """A way to answer every frame.

    design: of the students, where it is a delta network; steps: of their distillation.
    speedups, fidelities, kept, scores: by period; 1 is every frame in full. Fidelity is of the choosing part.
    parts_ms: medians in milliseconds: "frame", "key", "delta", "moving".
    ended: why it was not tried further; "" where it was. seconds: that it took.
    """

    name: str
    kind: Kind
    engine: str = ""
    precision: str = "fp32"
    design: str = ""
    steps: int = 0
    speedups: Mapping[int, float] = field(default_factory=dict)
    fidelities: Mapping[int, float] = field(default_factory=dict)
    kept: Mapping[int, float] = field(default_factory=dict)
    scores: Mapping[int, float] = field(default_factory=dict)
    parts_ms: Mapping[str, float] = field(default_factory=dict)
    ended: str = ""
    seconds: float = 0.0

    def points(self) -> Iterator[Point]:
        """Every period at which both time and fidelity are known."""
        for period, speedup in self.speedups.items():
            if period in self.fidelities:
                score = self.scores.get(period)
                yield Point(self, period, speedup, self.fidelities[period], self.kept[period], score)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def from_json(values: Mapping[str, Any]) -> Trial:
    """A trial as it was written; ValueError for anything else."""
    tables = ("speedups", "fidelities", "kept", "scores")
    try:
        read = {name: {int(key): float(each) for key, each in values[name].items()} for name in tables}
        trial = Trial(**{**values, **read})
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"no trial: {error}") from None
    if trial.kind not in KINDS:
        raise ValueError(f"no trial: kind {trial.kind!r}")
    return trial
