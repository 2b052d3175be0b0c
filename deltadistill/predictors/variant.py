"""Variants: ways to spend the compute over a stream, behind one protocol, reset() and predict(frame)."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from deltadistill.predictors.copy import Copy
from deltadistill.predictors.per_frame import PerFrame
from deltadistill.predictors.streamed import Streamed
from deltadistill.tasks import Predictions, Task


class Variant(Protocol):
    """A predictor of streams.

    uses_history: whether a prediction depends on frames before.
    """

    uses_history: bool

    def reset(self) -> None:
        """Forget the streams so far; the next frame starts new ones."""

    def predict(self, frame: Tensor) -> Predictions:
        """What the task says about the next normalised frame (N, 3, H, W) of N streams, one entry each.

        The network may be on any device; predictions are on the processor.
        """

    @staticmethod
    def amortised(key: float, delta: float, period: int) -> float:
        """Cost per frame from the network's cost of a key frame and of a delta frame."""


_VARIANTS = {"per_frame": PerFrame, "stream": Streamed, "copy": Copy}


def build(predict: str, network: nn.Module, task: Task, *, period: int) -> Variant:
    """Make the variant `predict` ("per_frame", "stream", "copy") with a key frame every `period` frames."""
    if predict not in _VARIANTS:
        raise ValueError(f"variant {predict!r} is unknown; allowed: {sorted(_VARIANTS)}")
    return _VARIANTS[predict](network.eval(), task, period=period)


def amortised(predict: str) -> Callable[[float, float, int], float]:
    """Return the cost of a variant as (key frame, delta frame, period) → cost per frame."""
    return _VARIANTS[predict].amortised
