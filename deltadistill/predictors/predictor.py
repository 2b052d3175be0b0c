"""Predictors: ways to answer every frame of a stream, behind one protocol, begin and answer."""

import copy
import inspect
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.registry import PREDICTORS
from deltadistill.tasks.task import Predictions, Task

MAIN = "network"
"""The name, in costs, of the network that is given first; others go by the names of their arguments."""


class Predictor(Protocol):
    """Answers the frames of N streams that run side by side.

    It is constructed as `Class(network, task, **networks, **options)`: the variant's network in evaluation
    mode, the task, and by name what else its entry gives. What is below has a value here is so for whoever
    derives from this class and does not say otherwise.

    uses_history: whether an answer depends on frames before.
    learns: whether it changes its networks while it answers; then it gets copies of its own.
    has_delta_frames: whether frames other than key frames run a network, and so have a time of their own.
    works_on_predictions: whether it computes with what the task says, not with outputs of its network alone;
        then its time without the rest has that in it too.
    computes_inside: whether it works with modules inside its network; engines, which run whole graphs, show
        none.
    costs_vary: whether what a frame costs depends on the picture, or on its place in the sequence; then
        `costs` is the most that it can be, and `last_cost` what it was.
    cycle: after how many later frames what is done on them begins again, where it is not always the same.
    is_key_frame: whether the last answer was made as on a key frame.
    state_bytes: memory that is kept for the next frame.
    last_updates: steps of an optimiser that the last answer took, of all streams together.
    """

    uses_history: bool = True
    learns: bool = False
    has_delta_frames: bool = False
    works_on_predictions: bool = False
    computes_inside: bool = False
    costs_vary: bool = False
    cycle: int = 1
    is_key_frame: bool = True
    state_bytes: int = 0
    last_updates: int = 0

    @abstractmethod
    def begin(self, stream: StreamInfo) -> None:
        """Begin new streams: the next frame is a key frame.

        All that streams before have left is forgotten, what was learned from them too, so that a score does
        not depend on the order of videos or on where an evaluation was interrupted.
        """

    @abstractmethod
    def answer(self, frame: FrameBatch) -> Predictions:
        """What the task says about the next frame of every stream, one entry each.

        Networks may be on any device; predictions are on the processor. Gradients are on where the caller
        has not switched them off; who needs none does that here.
        """

    def pass_over(self, frame: FrameBatch) -> None:
        """Take notice of a later frame that somebody else answers; its motion may be needed afterwards."""
        return None

    @abstractmethod
    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """The cost of a key frame and of any other, from those of its networks (the first one's is MAIN).

        Streams have begun, so that the size of frames is known.
        """

    def last_cost(self, networks: Mapping[str, FrameCosts]) -> Cost:
        """The cost of the last answer, from those of its networks."""
        return self.costs(networks).of_frame(is_key=self.is_key_frame)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Raise ValueError for options that cannot be meant, before anything is trained for the predictor."""


def build(
    predict: str,
    network: nn.Module,
    task: Task,
    *,
    networks: Mapping[str, nn.Module] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Predictor:
    """Make the predictor `predict`, named as in PREDICTORS.

    networks: those that it runs beside `network`, by the names of its constructor's arguments.
    options: of its constructor. ValueError for one that it does not take, and for one that it needs.
    """
    kind = PREDICTORS.find(predict)
    networks, options = dict(networks or {}), dict(options or {})
    require_options(predict, options, networks=networks)
    learns = getattr(kind, "learns", False)
    own = {
        name: copy.deepcopy(each).eval() if learns else each.eval()
        for name, each in {MAIN: network, **networks}.items()
    }
    return kind(own.pop(MAIN), task, **own, **options)


def has_delta_frames(predict: str) -> bool:
    """Whether the predictor `predict` says that frames other than key frames run a network."""
    return getattr(PREDICTORS.find(predict), "has_delta_frames", False)


def require_options(
    predict: str, options: Mapping[str, Any], *, networks: Mapping[str, Any] | None = None
) -> None:
    """Raise ValueError unless the predictor `predict` takes these options and networks, and no others.

    networks: by name, whatever stands for them.
    """
    networks = networks or {}
    both = sorted(set(options) & set(networks))
    if both:
        raise ValueError(f"predictor {predict!r}: {', '.join(both)} is given as an option and as a network")
    signature = inspect.signature(PREDICTORS.find(predict))
    try:
        signature.bind(None, None, **networks, **options)
    except TypeError as error:
        raise ValueError(
            f"predictor {predict!r}: {error} among its options; it takes {_taken(signature)}"
        ) from None
    if check := getattr(PREDICTORS.find(predict), "check_options", None):
        check(options)


def _taken(signature: inspect.Signature) -> str:
    """The options of a constructor, in words."""
    named = [str(each) for each in list(signature.parameters.values())[2:]]
    return ", ".join(named) or "none"
