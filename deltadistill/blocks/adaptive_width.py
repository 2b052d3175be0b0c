"""ACM as a student design: a token of a later frame runs as much of an MLP as its change is worth.

"Adaptive Computation Modules: Granular Conditional Computation For Efficient Inference" (Wójcik et al.,
2025). Its claim: few tokens need a layer's full width; where a layer is a sequence of learners that refine
each other, and a gate says per token how many of them run, transformers cost far less at the same accuracy.

    z_t = z_0 + Σ_j [j < k] (h_j(x_t) − h_j(x_0)),  k = argmax gate(|x_t − x_0|), from 0 to the number of h

Departures: what is computed is the change since the key frame, so that a token at rest needs no learner at
all, and the gate sees the change in place of the token. Learners begin as slices of the MLP itself and not
at random, so that full width is exact before anything is learnt. Gates choose without noise, and learn with
the learners, at the price that the objective `token_width` puts on width, where the authors first train
learners under random widths.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.adaptive_mlp import AdaptiveMlp
from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.design import StudentDesign
from deltadistill.blocks.mlp_form import mlp_form
from deltadistill.blocks.prediction import OfChange, for_each_later_frame
from deltadistill.blocks.rule import Parts, Rule, State
from deltadistill.blocks.straight_through import Choice, drawn_output


class AdaptiveWidthRule(Rule):
    """For an MLP on tokens (N, …, D), whose compressed candidate is an `AdaptiveMlp`.

    State: the key frame's input, what each learner made of it, its output, and (N, learners) tokens that the
    last frame ran each learner on, 0 after a key frame. All learners are computed here and masked, and
    counted where they are needed. The uncompressed candidate is the teacher itself.
    """

    prediction = OfChange()

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """As after a key frame; nothing for the uncompressed candidate."""
        if parts.choice == UNCOMPRESSED:
            return ()
        student: Any = parts.compressed
        held = student.parts(x)
        return x.clone(), held, z.clone(), held.new_zeros(len(x), held.shape[-2])

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame; all but the counts stays as the key frame left it."""
        if parts.choice == UNCOMPRESSED:
            return parts.teacher(x), state
        student: Any = parts.compressed
        x_key, held, z_key, _ = state
        running = student.running(x - x_key)
        change = (running[..., None] * (student.parts(x) - held)).sum(-2)
        counts = running.reshape(len(x), -1, running.shape[-1]).sum(1)
        return z_key + change, (x_key, held, z_key, counts)

    def predict(self, parts: Parts, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts, Δz, for M later frames (see Rule.predict)."""

        def run(candidate: str) -> Tensor:
            if candidate == UNCOMPRESSED:
                return parts.teacher(x) - for_each_later_frame(z_key, x)
            return _change(parts, x, for_each_later_frame(x_key, x), len(z_key))

        return drawn_output(run, choice)

    def predict_steps(self, parts: Parts, x: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts from each frame to the next (see Rule.predict_steps)."""
        rows = len(z_key)

        def run(candidate: str) -> Tensor:
            if candidate == UNCOMPRESSED:
                z = parts.teacher(x[rows:])
                return z - torch.cat([z_key, z[:-rows]])
            return _change(parts, x[rows:], x[:-rows], rows)

        return drawn_output(run, choice)


def _change(parts: Parts, x: Tensor, before: Tensor, key_frames: int) -> Tensor:
    student: Any = parts.compressed
    running = student.running(x - before)
    widths = running.mean(-1)
    student.widths(torch.cat([torch.zeros_like(widths[:key_frames]), widths]))  # as maps, key frames first
    return (running[..., None] * (student.parts(x) - student.parts(before))).sum(-2)


def width_macs(student: AdaptiveMlp, state: State) -> float:
    """MACs of the last frame of a stream in one block, mean over streams: learners that ran, and the gate."""
    x_key, _, _, counts = state
    tokens = x_key[0, ..., 0].numel()
    macs = counts.double() @ counts.new_tensor(student.learner_macs, dtype=torch.float64)
    return macs.mean().item() + tokens * student.gate_macs


@dataclass(frozen=True)
class AdaptiveWidth(StudentDesign):
    """MLPs of vision transformers whose tokens run as many of `learners` as a gate says.

    gate: hidden units of the gate. Raises ValueError for less than two learners or no unit.
    """

    learners: int = 4
    gate: int = 16

    def __post_init__(self) -> None:
        if self.learners < 2 or self.gate < 1:
            raise ValueError(
                f"learners {self.learners} must be at least 2, and gate {self.gate}, its hidden units, at "
                "least 1"
            )

    def reason_against(self, module: nn.Module) -> str | None:
        """Modules that are two layers and an activation only, with a hidden unit for every learner."""
        try:
            form = mlp_form(module)
        except ValueError as error:
            return str(error)
        if form.first.out_features < self.learners:
            return f"{form.first.out_features} hidden units are fewer than its {self.learners} learners"
        return None

    def rule(self, predicts: str) -> Rule:
        """Make the rule; ValueError for features, which have no width to save where nothing changes."""
        if predicts != OfChange.name:
            raise ValueError("adaptive width is of changes; take a LinearStudent to predict features")
        return AdaptiveWidthRule()

    def candidates(self, teacher: nn.Module) -> Mapping[str, nn.Module | None]:
        """The learners with their gate; the uncompressed candidate is the teacher again."""
        made = AdaptiveMlp(mlp_form(teacher), learners=self.learners, gate=self.gate)
        return {UNCOMPRESSED: None, COMPRESSED: made}
