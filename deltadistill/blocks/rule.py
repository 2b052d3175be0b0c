"""The rule of a block: what a frame's output is, from the frame and what is kept of those before it.

A rule is arithmetic over a block's teacher and candidates. It keeps nothing itself: state goes in and comes
back, and the sessions hold it (sessions.py).
"""

from typing import Any, Protocol

from torch import Tensor, nn

from deltadistill.blocks.prediction import Prediction
from deltadistill.blocks.straight_through import Choice

State = tuple[Tensor, ...]

Motion = Any
"""How the picture moved since the frame before, as the user of a stream gives it and the rule reads it.

By convention (N, 2, H, W) in pixels of the frame: x before = x + motion, channel 0 horizontal, 1 vertical.
"""


class Parts(Protocol):
    """What a rule computes with: a block's teacher, its candidates, and the choice between them."""

    teacher: nn.Module
    uncompressed: nn.Module | None
    compressed: nn.Module | None

    @property
    def choice(self) -> str:
        """The candidate in use."""


class Rule:
    """What every rule has; a design's own rule has `state_of` and `delta`, and with candidates `predict`.

    prediction: what the candidates predict, and how the output comes from it; None for a rule without
        candidates, whose clips are computed frame by frame.
    What `delta` returns must not be a tensor of the state itself: the network may change it in place.
    """

    prediction: Prediction | None = None

    def key(self, parts: Parts, x: Tensor) -> tuple[Tensor, State]:
        """Output for a key frame (the teacher's), and the state that later frames start from."""
        z = parts.teacher(x)
        return z, self.state_of(parts, x, z)

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """State of a frame with input x and output z: copies, as the network may change both in place."""
        raise NotImplementedError

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame, and the state for the next one."""
        raise NotImplementedError

    def carry(self, state: State, motion: Motion) -> State:
        """Move what is kept to where the picture has moved, before `delta` of that frame; unchanged here.

        A stream calls it on every delta frame that comes with its motion, and goes on with what it returns.
        """
        return state

    def predict(self, parts: Parts, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts for M later frames.

        x: inputs of M later frames; x_key, z_key: input and output of their key frames, M or, with
        several later frames per key frame (time first), M divided by their number.
        """
        raise NotImplementedError

    def predict_along(
        self, parts: Parts, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice, motion: Motion
    ) -> Tensor:
        """As `predict`, where training knows how each later frame's picture moved since its key frame.

        motion: of the M later frames. What is predicted is relative to `reference`.
        """
        return self.predict(parts, x, x_key, z_key, choice)

    def reference(self, z_key: Tensor, motion: Motion) -> Tensor:
        """What predictions are relative to, from the key frames' outputs: these, or where they have moved."""
        return z_key

    def predict_steps(self, parts: Parts, x: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts from each frame to the next, as `predict` does from the key frame.

        x: inputs of all T frames, time first; z_key: outputs of the key frames.
        """
        rows = z_key.shape[0]
        return self.predict(parts, x[rows:], x[:-rows], z_key, choice)
