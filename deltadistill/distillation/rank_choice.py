"""Ranks of linear students, one for each block: of least damage to the output for what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import lcm

import torch
from torch import Tensor, nn

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable, macs_of_blocks
from deltadistill.account.macs import count_macs
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.linear import LinearStudent
from deltadistill.conversion.convert import convert
from deltadistill.conversion.data_aware import explained_energies
from deltadistill.conversion.selectors import Selector, inner_convolutions
from deltadistill.distillation.one_shot import output_errors
from deltadistill.forward.outputs import frame_outputs
from deltadistill.objectives.teacher_pass import Run

_HALVINGS = 200  # of the range, of sixty orders of magnitude, in which the price of a MAC is looked for
_JUDGED = 8  # clips
_NOTHING = 1e-12  # of the energy of a block's deltas: what rounding leaves beyond full rank


@torch.no_grad()
def choose_ranks(
    network: nn.Module,
    clips: Tensor,
    *,
    cost: float,
    length: int = 3,
    students: LinearStudent | None = None,
    where: Selector = inner_convolutions,
    judged: Tensor | None = None,
    run: Run | None = None,
    progress: bool = True,
) -> LinearStudent:
    """The students' design with a rank for each block, for `convert(network, design, where, clips=clips)`.

    A block's damage at the rank that `students` give it is the error of the network's output with this block
    alone compressed (`output_errors`). At another rank r it is taken in proportion to what the student misses
    of the block's deltas: the squares of their whitened singular values beyond r. Ranks are those of least
    total damage within the cost, by one price of a MAC for all blocks; where the teacher's own layer is worth
    its price, the rank is 0 and the block stays as it is. No gradient is needed.

    network: a plain one. clips: (N, T, C, H, W), as for `convert`. cost: of a frame at sequence length
    `length`, as a share of the teacher's. students: of initialisation "data"; None: γ 4. judged: clips on
    which damage is measured; None: the first eight of `clips`. run: how the network is run on frames; None:
    `frame_outputs` where the network has it, else called.
    Raises ValueError for students without a start from data, and for a cost out of reach.
    """
    students = students or LinearStudent(initialisation="data")
    if students.initialisation != "data":
        raise ValueError(
            f"ranks are chosen by what students that start from data miss; got {students.initialisation!r}"
        )
    run = run or frame_outputs
    plain = replace(students, ranks={})
    trial = convert(network, plain, where, clips=clips, run=run, progress=progress)
    costs = macs_of_blocks(count_macs(trial, tuple(clips.shape[2:]), run=run), length=length)
    target = AmortisedTarget(cost, length)
    blocks = delta_blocks(trial)
    energies = explained_energies(trial, list(blocks.values()), clips, run=run, progress=progress)
    damages = output_errors(trial, clips[:_JUDGED] if judged is None else judged, run=run)
    options = {
        name: options_of(
            costs.blocks[name],
            damages[name],
            energies.get(block),
            rank=block.compressed[0].weight.shape[0],
            groups=getattr(block.teacher, "groups", 1),
            multiple=students.multiple,
        )
        for name, block in blocks.items()
    }
    capacity = target.delta_share * costs.teacher - costs.rest
    ranks = {name: option.rank for name, option in _cheapest(options, capacity, costs, target).items()}
    return replace(students, ranks=ranks)


@dataclass(frozen=True)
class Option:
    """A rank that a block may have, 0 for its teacher; its damage, and what a delta frame costs with it."""

    rank: int
    damage: float
    cost: float


def options_of(
    costs: tuple[float, float],
    damage: float,
    energies: Tensor | None,
    *,
    rank: int,
    groups: int,
    multiple: int,
) -> list[Option]:
    """Ranks that cost less than the teacher, and the teacher.

    damage: at `rank`. energies: by channels of a group, for all groups together; None where nothing moves.
    """
    whole, per_channel = costs[0], costs[1] / rank
    step = lcm(groups, multiple)
    found = [Option(0, 0.0, whole)]
    if energies is None:
        return [*found, Option(step, 0.0, per_channel * step)]
    missed = [*energies.flip(0).cumsum(0).flip(0).tolist(), 0.0]  # by channels of a group that are there
    at_present = max(missed[min(rank // groups, len(energies))], missed[0] * _NOTHING)
    for channels in range(step, len(energies) * groups + 1, step):
        if channels * per_channel < whole:
            part = missed[channels // groups] / at_present if at_present else 0.0
            found.append(Option(channels, damage * part, channels * per_channel))
    return found


def _cheapest(
    options: Mapping[str, list[Option]], capacity: float, costs: CostTable, target: AmortisedTarget
) -> dict[str, Option]:
    """The options of least damage whose costs add up to at most the capacity, by one price for all."""
    least = sum(min(option.cost for option in each) for each in options.values())
    if least > capacity:
        reachable = target.cost_at((least + costs.rest) / costs.teacher)
        raise ValueError(
            f"cost {target.cost} at length {target.length} is out of reach: with the lowest ranks everywhere "
            f"a frame costs {reachable:.3f} of the teacher's; allow more, or convert more layers"
        )

    def at(price: float) -> dict[str, Option]:
        return {
            name: min(each, key=lambda option: (option.damage + price * option.cost, option.cost))
            for name, each in options.items()
        }

    def total(chosen: Mapping[str, Option]) -> float:
        return sum(option.cost for option in chosen.values())

    if total(free := at(0.0)) <= capacity:
        return free
    low, high = 1e-30, 1e30
    for _ in range(_HALVINGS):
        price = (low * high) ** 0.5
        low, high = (price, high) if total(at(price)) > capacity else (low, price)
    return at(high)
