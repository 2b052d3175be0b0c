"""Student architecture search (§3.2): draw candidates during training, then settle on one per block."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

from deltadistill.amortised_target import AmortisedTarget
from deltadistill.blocks import COMPRESSED, UNCOMPRESSED, DeltaBlock
from deltadistill.blocks.delta import Choice
from deltadistill.conversion import delta_blocks
from deltadistill.macs import MacTable


@dataclass(frozen=True)
class CostTable:
    """What a delta frame costs: per block (uncompressed, compressed), and everything not converted.

    teacher: cost of a key frame, the unit in which budgets are given.
    """

    blocks: Mapping[str, tuple[float, float]]
    rest: float
    teacher: float

    @property
    def cheapest(self) -> float:
        """Cost of a delta frame with the cheaper candidate everywhere."""
        return self.rest + sum(min(pair) for pair in self.blocks.values())


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
        self._drawn = {}
        for block, u in zip(blocks, uniform, strict=True):
            sample = block.gate.sample(float(u))
            self._drawn[block] = sample if learning else sample.detach()

    def __call__(self, block: DeltaBlock) -> Choice:
        """Return the block's sample, or its candidate where that is decided."""
        return self._drawn.get(block, block.decided)


def settle(network: nn.Module, costs: CostTable, *, budget: float | None) -> None:
    """Decide every block: the candidate its gate prefers, within the budget for a delta frame.

    budget: largest cost of a delta frame as a share of the teacher's, or None. Where the preferred
        candidates cost more, blocks are compressed, those that prefer it least against first.
    Raises ValueError when even the everything-compressed network is too dear.
    """
    blocks = delta_blocks(network)
    for block in blocks.values():
        block.decide(block.choice)
    if budget is None:
        return
    allowed = budget * costs.teacher
    _require_reachable(costs, budget)
    hesitant_first = sorted(
        (name for name, block in blocks.items() if block.decided == UNCOMPRESSED),
        key=lambda name: blocks[name].gate.logit.item(),
    )
    for name in hesitant_first:
        if delta_cost(network, costs) <= allowed:
            return
        uncompressed, compressed = costs.blocks[name]
        if compressed < uncompressed:
            blocks[name].decide(COMPRESSED)


def settle_at(network: nn.Module, costs: CostTable, target: AmortisedTarget) -> None:
    """Decide every block so that a delta frame costs what the target allows, and as little less as fits.

    Starting from the cheaper candidate everywhere, blocks take the dearer one in the order in which their
    gates prefer it, as long as it fits.
    Raises ValueError when even the cheapest network is too dear.
    """
    _require_reachable(costs, target.delta_share)
    left = target.delta_share * costs.teacher - costs.cheapest
    blocks = delta_blocks(network)
    for name, block in blocks.items():
        uncompressed, compressed = costs.blocks[name]
        block.decide(COMPRESSED if compressed <= uncompressed else UNCOMPRESSED)
    keenest_first = sorted(blocks, key=lambda name: blocks[name].gate.logit.item(), reverse=True)
    for name in keenest_first:
        uncompressed, compressed = costs.blocks[name]
        if 0 < uncompressed - compressed <= left:
            blocks[name].decide(UNCOMPRESSED)
            left -= uncompressed - compressed


def _require_reachable(costs: CostTable, share: float) -> None:
    if costs.cheapest > share * costs.teacher:
        raise ValueError(
            f"a delta frame at {share:.3f} of the teacher is out of reach: with every block compressed it "
            f"costs {costs.cheapest / costs.teacher:.3f}; allow more, or raise the students' reduction"
        )


def delta_cost(network: nn.Module, costs: CostTable) -> float:
    """Cost of a delta frame with every block's present choice, in the table's unit."""
    total = costs.rest
    for name, block in delta_blocks(network).items():
        uncompressed, compressed = costs.blocks[name]
        total += uncompressed if block.choice == UNCOMPRESSED else compressed
    return total


def macs_of_blocks(table: MacTable, *, length: int | None = None) -> CostTable:
    """Take the costs from a MAC account of the delta network.

    length: sequence length; then what a candidate adds to the key frame is spread over the delta frames.
        Without it that part, which only non-linear students have, is left out.
    """
    later_frames = length - 1 if length else None

    def cost(delta: int, key: int) -> float:
        return delta + (key / later_frames if later_frames else 0)

    return CostTable(
        blocks={
            row.name: (
                cost(row.uncompressed_macs, row.uncompressed_key_macs),
                cost(row.compressed_macs, row.compressed_key_macs),
            )
            for row in table.rows
            if row.chosen is not None
        },
        rest=sum(row.teacher_macs for row in table.rows if row.chosen is None),
        teacher=table.teacher,
    )


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
