"""PELA's regularisation: low-rank factors whose product stays a little off what they stand for.

"PELA: Learning Parameter-Efficient Models with Low-Rank Approximation" (Guo et al., 2024). Its claim:
low-rank factors of a pretrained model, taught by its features while the largest change of a weight is held
near a small number, lose about 0.6 points at a third to two thirds of the parameters.

    L = mean over factorised layers of (‖W′ − W‖∞ − ε)²,   W′ the product of the factors

Departures: factors are those of linear students (k×1 and 1×k, Fig. 3), so that W is a kernel as the matrix
that these factorise; the teacher's features are another objective's (`normalised_features`, or
`block_errors`). A student of changes has the same W: a change is what the layer does to a difference.
"""

from typing import cast

import torch
from torch import Tensor, nn

from deltadistill.blocks.candidates import COMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.factorise import Teacher, factor_product, kernel_matrices
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting


class WeightChange(Objective):
    """How far the largest change of a weight is from `epsilon`, over all blocks with linear students.

    It looks at weights alone and runs nothing. Raises ValueError for a network without linear students.
    """

    def __init__(self, setting: Setting, *, epsilon: float = 1e-3):
        super().__init__()
        self.epsilon = epsilon
        if not factorised(setting.network):
            raise ValueError(
                "objective weight_change compares the factors of linear students with the weights they stand "
                f"for, and {type(setting.network).__name__} has none; leave it out, or take "
                "students.kind linear"
            )

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over blocks, by the part's share of the clips."""
        blocks = factorised(seen.network)
        losses = [change_loss(student, layer, self.epsilon) for student, layer in blocks]
        return torch.stack(losses).mean() * (seen.clips / float(of))


def change_loss(student: nn.Sequential, layer: Teacher, epsilon: float) -> Tensor:
    """(‖W′ − W‖∞ − ε)² of a linear student and the layer whose kernel it factorises; a scalar."""
    product = factor_product(student)
    change = (product - kernel_matrices(layer).to(product)).abs().max()
    return (change - epsilon).square()


def factorised(network: nn.Module) -> list[tuple[nn.Sequential, Teacher]]:
    """The linear students of a network's blocks, each with the layer that it stands for."""
    return [pair for block in delta_blocks(network).values() for pair in _pairs(block)]


def _pairs(block: DeltaBlock) -> list[tuple[nn.Sequential, Teacher]]:
    student = getattr(block, COMPRESSED)
    plain = isinstance(block.teacher, nn.Conv2d | nn.Linear)
    if not plain or not isinstance(student, nn.Sequential) or len(student) != 2:
        return []
    if not all(isinstance(layer, nn.Conv2d | nn.Linear) for layer in student):
        return []
    return [(student, cast(Teacher, block.teacher))]
