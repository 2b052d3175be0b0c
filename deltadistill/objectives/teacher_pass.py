"""The teacher's own pass over frames: the targets of distillation, and their energies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.delta_network import seat_of
from deltadistill.blocks.rule import Motion
from deltadistill.blocks.sessions import Call, ProbeSession, energy
from deltadistill.forward.clip_axes import later_frames
from deltadistill.forward.outputs import frame_outputs

Run = Callable[[nn.Module, Tensor], Any]
"""How a network is run on frames (N, C, H, W)."""


@dataclass(frozen=True)
class Probe:
    """What the teacher makes of frames: every block's output, and the network's (see frame_outputs)."""

    targets: dict[Call, Tensor]
    output: Any


@torch.no_grad()
def probe_teacher(network: nn.Module, later_frames: Tensor, run: Run = frame_outputs) -> Probe:
    """Teacher's outputs for frames (M, C, H, W), without gradient.

    A pass of its own, so that a student is compared with what the teacher does on the teacher's own
    input, not on an input that students before it have changed.
    """
    session = ProbeSession()
    with seat_of(network).taken_by(session):
        output = run(network, later_frames)
    return Probe(session.outputs, output)


@torch.no_grad()
def probed_energies(
    network: nn.Module, clips: Tensor, run: Run = frame_outputs, *, motion: Motion | None = None
) -> Tensor:
    """Energy of every call's target on clips (N, T, C, H, W), by the teacher alone, in the calls' order.

    What must be known of a whole batch before the first part of it can be learnt from.
    motion: of the later frames, time first, where blocks are trained under it.
    """
    keys = probe_teacher(network, clips[:, 0], run).targets
    later = probe_teacher(network, later_frames(clips), run).targets
    found = []
    for call, z_key in keys.items():
        reference = z_key if motion is None else call[0].rule.reference(z_key, motion)
        found.append(energy(call[0].target(later[call], reference)))
    return torch.stack(found)
