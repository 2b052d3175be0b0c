"""The rule of non-linear students: Δz = h(x_key, x − x_key) − h(x_key, 0) (§3.1)."""

from typing import Any

import torch
from torch import Tensor

from deltadistill.blocks.candidates import UNCOMPRESSED
from deltadistill.blocks.prediction import OfChange, for_each_later_frame
from deltadistill.blocks.rule import Parts, Rule, State
from deltadistill.blocks.straight_through import Choice, drawn_output


class NonlinearRule(Rule):
    """For a block or sequence of blocks whose compressed candidate is a `NonlinearStudent` h.

    The paper's Δz is h alone. Without the second term a static clip would drift from its key frame; it
    depends on the key frame only and goes into the state. The uncompressed candidate is the teacher itself on
    the present frame, exact and without state, so that it has no module of its own.
    """

    prediction = OfChange()

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """The student's key part, and z − h(x, 0); nothing for the uncompressed candidate."""
        if parts.choice == UNCOMPRESSED:
            return ()
        student: Any = parts.compressed
        key_part = student.key_part(x)
        return key_part, z - student(x, key_part, z.shape[-2:])

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame."""
        if parts.choice == UNCOMPRESSED:
            return parts.teacher(x), state
        student: Any = parts.compressed
        key_part, base = state
        return base + student(x, key_part, base.shape[-2:]), state

    def predict(self, parts: Parts, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts, Δz, for M later frames (see Rule.predict)."""

        def run(candidate: str) -> Tensor:
            if candidate == UNCOMPRESSED:
                return parts.teacher(x) - for_each_later_frame(z_key, x)
            return _change(parts, x, x_key, z_key.shape[-2:])

        return drawn_output(run, choice)

    def predict_steps(self, parts: Parts, x: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts from each frame to the next (see Rule.predict_steps)."""
        rows = z_key.shape[0]

        def run(candidate: str) -> Tensor:
            if candidate == UNCOMPRESSED:
                z = parts.teacher(x[rows:])
                return z - torch.cat([z_key, z[:-rows]])
            return _change(parts, x[rows:], x[:-rows], z_key.shape[-2:])

        return drawn_output(run, choice)


def _change(parts: Parts, x: Tensor, x_key: Tensor, size: torch.Size) -> Tensor:
    student: Any = parts.compressed
    key_part = student.key_part(x_key)
    at_rest = student(x_key, key_part, size)
    moved = student(x, for_each_later_frame(key_part, x), size)
    return moved - for_each_later_frame(at_rest, x)
