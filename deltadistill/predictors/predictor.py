"""Predictors: ways to answer every frame of a stream, behind one protocol, reset() and predict(frame)."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from deltadistill.predictors.registry import PREDICTORS
from deltadistill.tasks.task import Predictions, Task


class Predictor(Protocol):
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


def build(predict: str, network: nn.Module, task: Task, *, period: int) -> Predictor:
    """Make the predictor `predict`, named as in PREDICTORS, with a key frame every `period` frames."""
    return PREDICTORS.find(predict)(network.eval(), task, period=period)


def amortised(predict: str) -> Callable[[float, float, int], float]:
    """Return the cost of a predictor as (key frame, delta frame, period) → cost per frame."""
    return PREDICTORS.find(predict).amortised
