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
TIME = CostAxis(lambda point: point.ms, "measured ms per frame")
