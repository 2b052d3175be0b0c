"""The terms of Eq. 5: distillation (Eq. 1 and 2), expected MACs (Eq. 4)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.account.candidate_costs import CostTable
from deltadistill.blocks.candidates import UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks, seat_of
from deltadistill.blocks.sessions import Call, CallError, ProbeSession, energy
from deltadistill.forward.clip_axes import later_frames
from deltadistill.forward.outputs import frame_outputs
from deltadistill.processes.group import device_of

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


def distillation_loss(errors: Iterable[CallError], energies: Tensor | None = None) -> Tensor:
    """Mean of the relative errors over all calls of all blocks (Eq. 1 or 2).

    Each term is divided by its target's energy, as the layers' scales differ by orders of magnitude, and
    the mean instead of the paper's sum makes α independent of the number of blocks.
    energies: per call, the targets' energy in the whole batch, where the errors are those of a part of it;
        the losses of all parts then add up to that of the whole.
    """
    errors = list(errors)
    if energies is None:
        energies = target_energies(errors)
    return torch.stack([e.relative(whole) for e, whole in zip(errors, energies, strict=True)]).mean()


def target_energies(errors: Iterable[CallError]) -> Tensor:
    """Energy of every call's target, in the order of the calls."""
    return torch.stack([error.energy for error in errors])


@torch.no_grad()
def probed_energies(network: nn.Module, clips: Tensor) -> Tensor:
    """Energy of every call's target on clips (N, T, C, H, W), by the teacher alone, as `target_energies`.

    What must be known of a whole batch before the first part of it can be learnt from.
    """
    keys = probe_teacher(network, clips[:, 0]).targets
    later = probe_teacher(network, later_frames(clips)).targets
    return torch.stack([energy(call[0].target(later[call], keys[call])) for call in keys])


def expected_cost(network: nn.Module, costs: CostTable) -> Tensor:
    """Expected cost of a delta frame under the gates (Eq. 4), as a share of the teacher's.

    A scalar with gradient to the logits of the blocks that are not decided.
    """
    costs.require_blocks_of(network)
    total = torch.tensor(float(costs.rest), device=device_of(network))
    for name, block in delta_blocks(network).items():
        uncompressed, compressed = costs.blocks[name]
        share = _uncompressed_share(block)
        total = total + share * uncompressed + (1 - share) * compressed
    return total / costs.teacher


def _uncompressed_share(block: DeltaBlock) -> Tensor | float:
    if block.decided is None:
        return block.gate.uncompressed_probability
    return float(block.decided == UNCOMPRESSED)
