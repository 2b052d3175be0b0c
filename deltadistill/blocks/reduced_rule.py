"""The rule of students at lower resolution: the key frame's detail, gated, on what the coarse block says."""

from typing import Any

import torch
from torch import Tensor

from deltadistill.blocks.candidates import UNCOMPRESSED
from deltadistill.blocks.prediction import OfChange, for_each_later_frame
from deltadistill.blocks.rule import Parts, Rule, State
from deltadistill.blocks.straight_through import Choice, drawn_output


class ReducedRule(Rule):
    """z_t = up(l_t + E d) + c_0 ⊙ 2σ(up(G d)), with l = f↓(P x), d = l_t − l_0, c_0 = z_0 − up(l_0).

    P averages squares of the input, f↓ is the block's copy on that, up is bilinear; the compressed candidate
    is a `ReducedStudent`, which has f↓, the gate G and the encoding E. Kept are c_0, what the coarse block
    lacks of the key frame's output, and l_0. On a still clip d = 0 and z_t = z_0, whatever the weights are.
    The uncompressed candidate is the teacher itself on the present frame, without state.
    """

    prediction = OfChange()

    def key(self, parts: Parts, x: Tensor) -> tuple[Tensor, State]:
        """Output for a key frame, and the state; l_0 comes first, so that x need not outlive the teacher."""
        if parts.choice == UNCOMPRESSED:
            return parts.teacher(x), ()
        student: Any = parts.compressed
        coarse = student.coarse(x)
        z = parts.teacher(x)
        return z, (z - student.up(coarse, z.shape[-2:]), coarse)

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """c_0 at the output's resolution and l_0 at the lower one; nothing for the uncompressed candidate."""
        if parts.choice == UNCOMPRESSED:
            return ()
        student: Any = parts.compressed
        coarse = student.coarse(x)
        return z - student.up(coarse, z.shape[-2:]), coarse

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame; the state stays as the key frame left it."""
        if parts.choice == UNCOMPRESSED:
            return parts.teacher(x), state
        student: Any = parts.compressed
        detail, coarse_key = state
        return detail + student(student.coarse(x), coarse_key, detail), state

    def predict(self, parts: Parts, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts, Δz, for M later frames (see Rule.predict)."""

        def run(candidate: str) -> Tensor:
            if candidate == UNCOMPRESSED:
                return parts.teacher(x) - for_each_later_frame(z_key, x)
            return _change(parts.compressed, x, x_key, z_key)

        return drawn_output(run, choice)

    def predict_steps(self, parts: Parts, x: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts step by step, each from its own output before (Rule.predict_steps)."""
        rows, before, steps = len(z_key), z_key, []
        for x_before, now in zip(x.split(rows)[:-1], x.split(rows)[1:], strict=True):
            steps.append(self.predict(parts, now, x_before, before, choice))
            before = self.prediction.integrate(steps[-1], before)
        return torch.cat(steps)


def _change(student: Any, x: Tensor, x_key: Tensor, z_key: Tensor) -> Tensor:
    """z_t − z_0; both frames go through the coarse block at once, by the same statistics of batch norms."""
    coarse_key, coarse = student.coarse(torch.cat([x_key, x])).split([len(x_key), len(x)])
    up_key = student.up(coarse_key, z_key.shape[-2:])
    detail, at_rest = z_key - up_key, for_each_later_frame(up_key, x)
    made = student(coarse, for_each_later_frame(coarse_key, x), for_each_later_frame(detail, x))
    return made - at_rest
