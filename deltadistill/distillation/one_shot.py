"""LAPTOP-Diff's one-shot criterion: which blocks to compress, by what each alone does to the output.

"LAPTOP-Diff: Layer Pruning and Normalized Distillation for Compressing Diffusion Models" (Zhang et al.,
2024). Its claim: the squared error of the output with one layer removed nearly adds up over layers, so that
a choice by the sum needs no training and beats other criteria and choices by hand.

Departures: a block is not removed but takes its compressed candidate, as it starts; the error is that of
later frames, over the energy of the output, against all blocks uncompressed; what is bounded is the cost of
a frame, not the number of parameters.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable
from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.stream import forward_clip
from deltadistill.distillation.knapsack import optimal_selection
from deltadistill.distillation.search import cheaper_candidate
from deltadistill.forward.clip_axes import later_frames
from deltadistill.forward.modes import evaluation_mode
from deltadistill.forward.outputs import frame_outputs
from deltadistill.objectives.teacher_pass import Run


def decide_by_output_errors(
    network: nn.Module, costs: CostTable, target: AmortisedTarget, errors: Mapping[str, float]
) -> None:
    """Decide every block so that a frame costs at most what the target allows, and the errors' sum is least.

    errors: of each block alone, by its name (`output_errors`).
    Raises ValueError when even the cheapest network is too dear, and for costs of other blocks.
    """
    costs.require_blocks_of(network)
    costs.require_target(target)
    extras = {name: pair[0] - pair[1] for name, pair in costs.blocks.items() if pair[0] > pair[1]}
    capacity = target.delta_share * costs.teacher - costs.cheapest
    wanted = {name: errors[name] for name in extras}
    fits = sum(extras.values()) <= capacity
    kept = set(extras) if fits else optimal_selection(extras, capacity, least=0.0, logits=wanted)
    for name, block in delta_blocks(network).items():
        block.decide(UNCOMPRESSED if name in kept else cheaper_candidate(costs, name))


@torch.no_grad()
def output_errors(network: nn.Module, clips: Tensor, *, run: Run = frame_outputs) -> dict[str, float]:
    """By block, the squared error of the output on later frames where it alone is compressed.

    clips: (N, T, C, H, W) as the network takes frames, T ≥ 2. Relative to the energy of the output with all
    blocks uncompressed, over all tensors that the network returns. One pass for each block, and one more.
    """
    blocks = delta_blocks(network)
    before = {name: block.decided for name, block in blocks.items()}
    errors = {}
    try:
        for block in blocks.values():
            block.decide(UNCOMPRESSED)
        expected = _output(network, clips, run)
        energy = max(float(expected.square().sum()), 1e-30)
        for name, block in blocks.items():
            block.decide(COMPRESSED)
            errors[name] = float((_output(network, clips, run) - expected).square().sum()) / energy
            block.decide(UNCOMPRESSED)
    finally:
        for name, decided in before.items():
            blocks[name].undecide() if decided is None else blocks[name].decide(decided)
    return errors


def _output(network: nn.Module, clips: Tensor, run: Run) -> Tensor:
    with evaluation_mode(network):
        output = later_frames(forward_clip(network, clips, run=run))
    tensors = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    return torch.cat([tensor.double().flatten() for tensor in tensors])
