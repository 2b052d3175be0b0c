"""The session of a delta network whose students learn: what it keeps of the key frame may hang on weights."""

from itertools import chain
from typing import Any

import torch
from torch import Tensor

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.sessions import Call, StreamSession
from deltadistill.forward.kept_bytes import kept_bytes


class LearningSession(StreamSession):
    """A stream's session whose state can be made anew from its key frame, with the weights of today.

    Non-linear students keep something of their own of the key frame; linear ones the teacher's maps alone,
    for which nothing is kept twice.
    """

    def __init__(self) -> None:
        self._inputs: dict[Call, tuple[Tensor, Tensor]] = {}
        super().__init__()

    def forget(self) -> None:
        """Drop all state."""
        super().forget()
        self._inputs = {}

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        """See `StreamSession`."""
        if not self.is_key_frame:
            return super().run(block, x)
        with torch.enable_grad():  # what the state depends on is seen by its gradient
            z = super().run(block, x).detach()
        call, state = next(reversed(self.state.items()))
        if any(tensor.requires_grad for tensor in state):
            self._inputs[call] = x.detach().clone(), z.clone()
        self.state[call] = tuple(tensor.detach() for tensor in state)
        return z

    def renew(self) -> None:
        """Make the state anew where it depends on weights, with gradient where that is on."""
        for call, (x, z) in self._inputs.items():
            block: Any = call[0]
            self.state[call] = block.state_of(x, z)

    @property
    def bytes(self) -> int:
        """Memory that is kept of the key frame."""
        return self.state_bytes + kept_bytes(chain.from_iterable(self._inputs.values()))
