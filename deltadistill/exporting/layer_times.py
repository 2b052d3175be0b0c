"""What each layer of a delta network takes in an engine: its teacher, and either candidate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from deltadistill.account.candidate_costs import CostTable
from deltadistill.exporting.functions import Run
from deltadistill.runtime.picture_form import PictureForm

PROFILE, BLOCK_BY_BLOCK = "profile", "block by block"


@dataclass(frozen=True)
class Setting:
    """What times were measured with; see `measure_layers`."""

    engine: str
    threads: int | None
    precision: str
    example: Tensor
    run: Run | None = None
    pictures: PictureForm | None = None


@dataclass(frozen=True)
class FunctionTimes:
    """Milliseconds of the per-frame network, of a key frame and of a delta frame."""

    frame: float
    key: float
    delta: float

    def per_frame(self, length: int) -> float:
        """Milliseconds a frame of a sequence: one key frame, then length − 1 delta frames."""
        return (self.key + (length - 1) * self.delta) / length


@dataclass(frozen=True)
class CandidateTime:
    """Milliseconds of a candidate on a delta frame, and what it adds to its teacher's on a key frame.

    map_bytes: memory of its map; 0 for a candidate that is its teacher again, on every frame.
    """

    delta: float
    key_extra: float
    map_bytes: int

    def cost(self, length: int) -> float:
        """Milliseconds a delta frame, with its part of what is added to the key frame."""
        return max(0.0, self.delta + self.key_extra / (length - 1))


@dataclass(frozen=True)
class LayerTime:
    """Milliseconds of a block: its teacher's, and its candidates'."""

    name: str
    teacher: float
    uncompressed: CandidateTime
    compressed: CandidateTime


@dataclass(frozen=True)
class LayerTimes:
    """What `measure_layers` found.

    rest: what belongs to no block. whole: the functions with every block compressed, run as a stream runs
        them; sum_of_parts: the same, of rows and rest. way: "profile", the engine's own; or "block by
        block", each in a graph of its own, and then the rest is what they leave of the per-frame network.
    setting: what it was measured with. length: of the sequences that `table` is for.
    """

    rows: tuple[LayerTime, ...]
    rest: FunctionTimes
    whole: FunctionTimes
    way: str
    setting: Setting
    length: int

    @property
    def sum_of_parts(self) -> FunctionTimes:
        """Rows and rest together, with every block compressed."""
        return FunctionTimes(
            self.rest.frame + sum(row.teacher for row in self.rows),
            self.rest.key + sum(row.teacher + row.compressed.key_extra for row in self.rows),
            self.rest.delta + sum(row.compressed.delta for row in self.rows),
        )

    @property
    def parts_of_whole(self) -> Mapping[str, float]:
        """The sum of the parts over the whole, by function: layers do not depend on themselves alone."""
        parts, whole = self.sum_of_parts, self.whole
        return {name: getattr(parts, name) / getattr(whole, name) for name in ("frame", "key", "delta")}

    @property
    def table(self) -> CostTable:
        """Costs in milliseconds for sequences of `length`, as a search takes them."""
        return self.table_at(self.length)

    def table_at(self, length: int) -> CostTable:
        """The same for another sequence length, of at least 2."""
        require_length(length)
        rest = CandidateTime(self.rest.delta, self.rest.key - self.rest.frame, 0)
        return CostTable(
            blocks={
                row.name: (row.uncompressed.cost(length), row.compressed.cost(length)) for row in self.rows
            },
            rest=rest.cost(length),
            teacher=self.rest.frame + sum(row.teacher for row in self.rows),
        )

    def __str__(self) -> str:
        lines = [_LINE.format(*_HEAD), *map(_line, self.rows), _rest_line(self.rest)]
        return "\n".join([*lines, "", *_closing(self)])


def require_length(length: int) -> None:
    """Raise ValueError for a sequence without delta frames."""
    if length < 2:
        raise ValueError(f"sequence length {length} has no delta frames to choose for; expected at least 2")


_LINE = "{:<40} {:>9} {:>13} {:>7} {:>11} {:>7} {:>8}"
_HEAD = ("milliseconds", "teacher", "uncompressed", "key +", "compressed", "key +", "map kB")


def _line(row: LayerTime) -> str:
    times = [f"{value:.3f}" for value in (row.teacher, *_both(row.uncompressed), *_both(row.compressed))]
    return _LINE.format(row.name[-40:], *times, f"{row.compressed.map_bytes / 1000:.0f}")


def _both(candidate: CandidateTime) -> tuple[float, float]:
    return candidate.delta, candidate.key_extra


def _rest_line(rest: FunctionTimes) -> str:
    values = (rest.frame, rest.delta, rest.key - rest.frame)
    frame, delta, key = (f"{value:.3f}" for value in values)
    return _LINE.format("(not converted)", frame, delta, key, delta, key, "")


def _closing(times: LayerTimes) -> Iterable[str]:
    parts, whole, shares = times.sum_of_parts, times.whole, times.parts_of_whole
    for name in ("frame", "key", "delta"):
        sums = f"parts {getattr(parts, name):.2f} of {getattr(whole, name):.2f} ms"
        yield f"{name:<6} {sums} as a whole (×{shares[name]:.2f}), every block compressed"
    threads = times.setting.threads or "all"
    engine = f"{times.setting.engine}, {times.setting.precision}, {threads} threads"
    yield f"measured in {engine}; times of layers by: {times.way}"
