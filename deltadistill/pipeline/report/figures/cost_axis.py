"""What accuracy is drawn against: MACs, or measured time."""

from collections.abc import Callable
from dataclasses import dataclass

from deltadistill.pipeline.results.summary import Point


@dataclass(frozen=True)
class CostAxis:
    """A cost per frame: of a point (None where it is not known), and what the axis is called."""

    of: Callable[[Point], float | None]
    words: str


MACS = CostAxis(lambda point: point.gmacs, "GMACs per frame")
# Of times that were not measured in turns with each other, only the shares can be compared.
SHARE_OF_TIME = CostAxis(
    lambda point: 1 / point.speedup if point.speedup else None, "share of the teacher's time per frame"
)
TIME = CostAxis(lambda point: point.ms, "measured ms per frame")
