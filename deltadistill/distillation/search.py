"""Student architecture search (§3.2): draw candidates during training, then settle on one per block."""

import logging
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable, delta_cost
from deltadistill.account.knapsack import greedy_selection, optimal_selection
from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.straight_through import Choice

_log = logging.getLogger(__name__)
_CLOSE = 0.98  # a search may end this far below its target


class CandidateDraws:
    """Gate samples for one training step, one per block, the same on every call of the block.

    They depend on (seed, step) and on the blocks' order alone, so that a resumed training and every
    process of a parallel one draw alike.
    learning: whether the gates get a gradient (not during the warm-up).
    """

    def __init__(self, network: nn.Module, *, seed: int, step: int, learning: bool):
        blocks = [block for block in delta_blocks(network).values() if block.decided is None]
        generator = np.random.default_rng([seed, step])
        uniform = np.clip(generator.random(len(blocks)), 1e-12, 1 - 1e-12)
        self._learning = torch.is_grad_enabled()
        self._drawn = {}
        for block, u in zip(blocks, uniform, strict=True):
            sample = block.gate.sample(float(u))
            self._drawn[block] = sample if learning else sample.detach()

    def __call__(self, block: DeltaBlock) -> Choice:
        """Return the block's sample, or its candidate where that is decided.

        Raises ValueError where a training's block runs without gradient and so would silently not learn.
        """
        if self._learning and not torch.is_grad_enabled():
            raise ValueError(
                f"the block {block.name!r} runs without gradient, so its students cannot learn; switch "
                "gradient checkpointing (or torch.no_grad) off around it, or leave it out in `where`"
            )
        return self._drawn.get(block, block.decided)


def settle(network: nn.Module, costs: CostTable, *, budget: float | None) -> None:
    """Decide every block: the candidate its gate prefers, within the budget for a delta frame.

    budget: largest cost of a delta frame as a share of the teacher's, or None. Where the preferred
        candidates cost more, blocks take their cheaper one, those whose gates are least decided first.
    Raises ValueError when even the cheapest network is too dear.
    """
    costs.require_blocks_of(network)
    blocks = delta_blocks(network)
    for block in blocks.values():
        block.decide(block.choice)
    if budget is None:
        return
    costs.require_share(budget)
    for name in sorted(blocks, key=lambda name: abs(blocks[name].gate.logit.item())):
        if delta_cost(network, costs) <= budget * costs.teacher:
            return
        blocks[name].decide(cheaper_candidate(costs, name))
    assert delta_cost(network, costs) <= budget * costs.teacher * (1 + 1e-9)


def settle_at(network: nn.Module, costs: CostTable, target: AmortisedTarget) -> None:
    """Decide every block so that a frame costs what the target allows, and at most 2 % less.

    Starting from the cheaper candidate everywhere, blocks take the dearer uncompressed one in the order in
    which their gates prefer it, as long as it fits. Where that stays more than 2 % below the target, the
    choice is made anew: of all that come within 2 %, the one most probable under the gates. Where none
    does, the closest is taken and a warning logged.
    Raises ValueError when even the cheapest network is too dear.
    """
    costs.require_blocks_of(network)
    costs.require_target(target)
    blocks = delta_blocks(network)
    logits = {name: block.gate.logit.item() for name, block in blocks.items()}
    kept = _kept_uncompressed(costs, target, logits)
    for name, block in blocks.items():
        block.decide(UNCOMPRESSED if name in kept else cheaper_candidate(costs, name))
    reached = target.cost_at(delta_cost(network, costs) / costs.teacher)
    if reached < _CLOSE * target.cost:
        _log.warning(
            "the search reached a cost of %.4f per frame at length %d, more than 2 %% below the target %.4f: "
            "no combination of the blocks comes closer; choose another target, or smaller blocks",
            *(reached, target.length, target.cost),
        )


def _kept_uncompressed(costs: CostTable, target: AmortisedTarget, logits: Mapping[str, float]) -> set[str]:
    """Names of the blocks that take a dearer uncompressed candidate."""
    capacity = target.delta_share * costs.teacher - costs.cheapest
    least = target.delta_share_of(_CLOSE * target.cost) * costs.teacher - costs.cheapest
    by_preference = sorted(logits, key=logits.__getitem__, reverse=True)
    extras = {name: costs.blocks[name][0] - costs.blocks[name][1] for name in by_preference}
    extras = {name: extra for name, extra in extras.items() if extra > 0}
    kept = greedy_selection(extras, capacity)
    spent = sum(extras[name] for name in kept)
    if spent >= least or len(kept) == len(extras):
        return kept
    closer = optimal_selection(extras, capacity, least=least, logits=logits)
    return max(kept, closer, key=lambda names: sum(extras[name] for name in names))


def cheaper_candidate(costs: CostTable, name: str) -> str:
    """The candidate of a block that costs less; the compressed one where both cost the same."""
    uncompressed, compressed = costs.blocks[name]
    return COMPRESSED if compressed <= uncompressed else UNCOMPRESSED


def gate_probabilities(network: nn.Module) -> dict[str, float]:
    """Probability of the compressed candidate that each block's gate has learned."""
    return {
        name: 1 - block.gate.uncompressed_probability.item() for name, block in delta_blocks(network).items()
    }


def learning_parameters(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the parameters of all candidates, and those of all gates; the teacher's are the rest."""
    blocks = delta_blocks(network).values()
    students = [p for block in blocks for p in block.student_parameters()]
    return students, [p for block in blocks for p in block.gate.parameters()]
