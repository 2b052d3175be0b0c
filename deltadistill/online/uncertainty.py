"""Teacher frames where the student is unsure, in the place of a stride."""

from typing import Any

import torch
from torch import Tensor

from deltadistill.online.stride import Strides, Supervision


def uncertainty(logits: Tensor) -> float:
    """How unsure an answer (N, classes, H, W) is: 1 less the probability of its class, mean of all pixels."""
    return 1 - float(torch.softmax(logits.detach().float(), 1).amax(1).mean())


class WhereUnsure(Supervision):
    """Which frames are labelled: one after an answer more unsure than `limit`, within the strides' bounds.

    The first, and none before δ_min frames after the last labelled one, and after δ_max in any case. δ is how
    many frames it was from the one before the last to the last.
    """

    def __init__(self, strides: Strides, limit: float):
        self._limit = limit
        super().__init__(strides)

    def reset(self) -> None:
        """Begin again, as for another stream."""
        super().reset()
        self._since, self._unsure = self._strides.longest, False

    @property
    def is_due(self) -> bool:
        """Whether the teacher is to label the next frame."""
        return self._since >= (self._strides.shortest if self._unsure else self._strides.longest)

    def answered(self, output: Any) -> None:
        """See what the student said of a frame."""
        self._unsure = uncertainty(output) > self._limit

    def labelled(self, *, passed: bool) -> None:
        """The teacher labelled the frame; whether the student agrees with it decides nothing."""
        self.stride, self._since = max(self._since, 1), 1

    def not_labelled(self) -> None:
        """The student alone answered the frame."""
        self._since += 1

    def ask_now(self) -> None:
        """Have the next frame labelled, however sure the student is."""
        self._since = self._strides.longest

    def state(self) -> dict[str, int]:
        """What `restore` goes back to."""
        return {"stride": self.stride, "since": self._since, "unsure": int(self._unsure)}

    def restore(self, state: Any) -> None:
        """Go back to what `state` returned."""
        self.stride, self._since, self._unsure = state["stride"], state["since"], bool(state["unsure"])
