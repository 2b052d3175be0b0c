"""What accuracy is drawn against: MACs, measured time, or memory."""

from collections.abc import Callable
from dataclasses import dataclass

from deltadistill.pipeline.results.summary import Point, Summary


@dataclass(frozen=True)
class CostAxis:
    """A cost: of a point (None where it is not known), what the axis is called, whether it is per frame."""

    of: Callable[[Point], float | None]
    words: str
    amortised: bool = True

    @property
    def label(self) -> str:
        """The words, and over what the cost is spread."""
        return f"{self.words}, amortised over the sequence" if self.amortised else self.words


MACS = CostAxis(lambda point: point.gmacs, "GMACs per frame")
# Of times that were not measured in turns with each other, only the shares can be compared.
SHARE_OF_TIME = CostAxis(
    lambda point: 1 / point.speedup if point.speedup else None, "share of the teacher's time per frame"
)
TIME = CostAxis(lambda point: point.ms, "measured ms per frame")
MEMORY = CostAxis(
    lambda point: point.peak_mib, "theoretical peak memory, MiB beside weights", amortised=False
)


def has_stream_memory(summary: Summary) -> bool:
    """Whether the peaks of streams were counted: beside these, those of per-frame networks are in a table."""
    return any(point.delta_peak_mib for points in summary.variants.values() for point in points.values())


def compares_memory(summary: Summary) -> bool:
    """Whether peaks are drawn: those of streams, or where there is none, of networks of single frames."""
    of_frames = summary.is_of_single_frames and any(
        point.peak_mib for points in summary.variants.values() for point in points.values()
    )
    return of_frames or has_stream_memory(summary)
