"""Distillation of any delta network on clips without labels: the teacher stays, students and gates learn."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from math import isfinite
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable, macs_of_blocks
from deltadistill.account.macs import count_macs
from deltadistill.blocks.candidates import COMPRESSED
from deltadistill.blocks.delta_network import delta_blocks, require_candidates
from deltadistill.blocks.moved_rule import maps_moved
from deltadistill.distillation.clip_batches import ClipBatches, Clips
from deltadistill.distillation.safeguard import Safeguard
from deltadistill.distillation.search import learning_parameters
from deltadistill.distillation.search_course import SearchCourse
from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import Terms, equation_5, further_terms, own_modules
from deltadistill.forward.modes import evaluation_mode
from deltadistill.forward.outputs import frame_outputs
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.teacher_pass import Run
from deltadistill.processes.group import Group, device_of
from deltadistill.training import optimiser as optimisers
from deltadistill.training.optimised_network import LossNotFiniteError, OptimisedNetwork
from deltadistill.training.passes import Passes

_WARM_UP, _FREEZE = 0.1, 0.5  # shares of the steps: gates rest before the one, are final after the other
_JUDGED = 4  # batches on which the end is compared with the start


def distill(
    network: nn.Module,
    clips: Clips,
    *,
    steps: int,
    batch: int = 2,
    cost: float | None = None,
    costs: CostTable | None = None,
    length: int = 3,
    learning_rate: float = 0.003,
    beta: float = 0.5,
    seed: int = 0,
    run: Run | None = None,
    progress: bool = True,
    objectives: Mapping[str, Mapping[str, Any]] | None = None,
    motion: Callable[[Tensor], Tensor] | None = None,
    coarsest: float | None = None,
) -> list[float]:
    """Train the students of a converted network in place, by the teacher's own deltas (Eq. 2).

    clips: (N, T, C, H, W), T ≥ 2, as the network takes frames; the first frame of each is its key frame. Or
        a list or Dataset of clips (T, C, H, W), or anything that yields batches (N, T, C, H, W) whenever it
        is gone through, such as a DataLoader; of tuples, the first entry.
    steps, batch: optimiser steps, and clips per step (drawn anew for each; a loader's batches stay as they
        are).
    cost: what a frame shall cost at sequence length `length`, as a share of the teacher's: a search then
        decides per block whether to compress (§3.2). None compresses every undecided block.
    costs: what candidates cost, such as milliseconds measured on your device. None: MACs of the network.
    learning_rate: of the students (Adam, falling to zero along a cosine); gates learn ten times as fast.
    beta: weight of the distance from the wanted cost.
    run: how the network is run on frames (N, C, H, W), where it takes more than these; what it returns is of
        no account. None: `frame_outputs` where the network has it, else called.
    objectives: what to learn from beside the teacher's deltas, by a name of objectives.registry or as
        package.module:name: {"weight": 1.0, "options": {…}} each. They may look at what the network returns.

    motion: trains students of changes under motion, for streams that move what the key frame left
        (blocks/moved_rule.py): makes the motion of later frames since their key frame, (N, T − 1, 2, h,
        w), of a batch's clips, such as `motion.of_clips.ClipMotion()`. None: nothing moves.
    coarsest: with motion, as of MovedDeltaRule.

    No label is needed; the teacher's weights and batch norm statistics stay as they are. Blocks are decided
    afterwards, ready for `deploy`. Returns the distillation loss of every step.
    A second call goes on with the students: with `cost` it searches anew from the gates, without it blocks
    keep what a search decided.
    No student is handed back worse than it began: where the loss on a few of the clips is higher after the
    last step than before the first, the students of the start come back, and a warning has both losses (of
    all `objectives` together).
    Raises ValueError for clips of another form, for a network without candidates to train or in half
    precision, for costs of other blocks, and for a cost out of reach, before anything is trained;
    FloatingPointError when a loss is not finite, with the step, or has more than doubled at the end: the
    students are those of the start then.
    """
    _require_counts(steps=steps, batch=batch)
    batches = ClipBatches(clips, network, batch=batch, seed=seed)
    _require_candidates(network)
    target = None if cost is None else AmortisedTarget(cost, length)
    moving = nullcontext() if motion is None else maps_moved(network, coarsest=coarsest)
    with torch.inference_mode(False), torch.enable_grad(), _only_students_learn(network), moving:
        first = batches.at(0)
        setting = Setting(network, first[:, 0], tuple(first.shape[-2:]), run=run or frame_outputs)
        terms = {
            **equation_5(setting, alpha=1.0, task="none"),
            **further_terms(objectives or {}, setting, steps=steps),
        }
        costs = _costs(network, first.shape[2:], target, costs, run)
        trainee = DistillTraining(
            _optimised(network, terms, learning_rate, steps),
            terms,
            beta=beta,
            search=_search(target, steps),
            costs=costs,
            seed=seed,
            tune_score=lambda between: 0.0,
            clip_of=lambda frames: frames,
            run=setting.run,
            motion_of=motion,
        )
        judging = [first, *(batches.at(step) for step in range(1, min(_JUDGED, steps)))]
        return _trained(trainee, batches, judging, steps, progress)


def _require_counts(**counts: int) -> None:
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise ValueError(f"{name} {count!r} must be a whole number, at least 1")


def _trained(
    trainee: DistillTraining, batches: ClipBatches, judging: list[Tensor], steps: int, progress: bool
) -> list[float]:
    """Take the steps; the distillation loss of each."""
    companions = trainee.optimised.companions.values()
    safeguard = Safeguard(
        trainee.network, judging, lambda clips: trainee.judged_loss({"clip": clips}), companions
    )
    losses = []
    for step in tqdm(range(steps), desc="distilling", unit="step", disable=not progress):
        some = judging[step] if step < len(judging) else batches.at(step)
        try:
            losses.append(trainee.step(step, {"clip": some})["distillation"])
        except FloatingPointError as error:
            safeguard.restore()
            raise FloatingPointError(_told(error, step)) from None
    safeguard.judge()
    return losses


def _told(error: FloatingPointError, step: int) -> str:
    what = str(error)
    if isinstance(error, LossNotFiniteError):
        terms = {name: value for name, value in error.terms.items() if name != "loss"}
        name = next((name for name, value in terms.items() if not isfinite(value)), "distillation")
        what = f"the {name} loss is {terms[name]}"
    return (
        f"step {step + 1}: {what}; lower the learning rate, and see that the clips and the teacher's outputs "
        "on them are finite"
    )


def _require_candidates(network: nn.Module) -> None:
    blocks = delta_blocks(network).values()
    if not blocks:
        raise ValueError("the network has no converted blocks; distill what convert returns")
    require_candidates(network)
    if any(block.gate is None for block in blocks):
        raise ValueError(
            "the network is deployed: its blocks have one candidate each and no gate, so nothing is left to "
            "choose; distill the network that convert returned, and deploy it afterwards"
        )
    if any(p.is_inference() for block in blocks for p in block.student_parameters()):
        raise ValueError(
            "the students were made under torch.inference_mode(), whose tensors never learn; make and "
            "convert the network outside of it"
        )
    halves = {p.dtype for block in blocks for p in block.student_parameters() if p.dtype.itemsize < 4}
    if halves:
        raise ValueError(
            f"the students are in {halves.pop()}, which is too coarse for the steps of an optimiser; distill "
            "in float32, network.float(), and make the deployed network half afterwards"
        )


def _costs(
    network: nn.Module,
    frame: torch.Size,
    target: AmortisedTarget | None,
    costs: CostTable | None,
    run: Run | None,
) -> CostTable | None:
    """The table for a search, from undecided blocks; without a target undecided blocks are compressed."""
    if target is None:
        if costs is not None:
            raise ValueError("costs are for a search, which needs a cost to reach; give cost as well")
        for block in delta_blocks(network).values():
            block.decide(block.decided or COMPRESSED)
        return None
    if costs is None:
        costs = macs_of_blocks(count_macs(network, frame, run=run), length=target.length)
    costs.require_blocks_of(network)
    costs.require_target(target)
    for block in delta_blocks(network).values():
        block.undecide()
    return costs


def _search(target: AmortisedTarget | None, steps: int) -> SearchCourse | None:
    return None if target is None else SearchCourse(_WARM_UP * steps, int(_FREEZE * steps), target=target)


def _optimised(network: nn.Module, terms: Terms, learning_rate: float, steps: int) -> OptimisedNetwork:
    students, gates = learning_parameters(network)
    companions = own_modules(terms)
    groups = [
        (students, learning_rate),
        (gates, 10 * learning_rate),
        ([p for module in companions.values() for p in module.parameters()], learning_rate),
    ]
    return OptimisedNetwork(
        network,
        optimisers.build("adam", groups, weight_decay=0, momentum=0),
        optimisers.Course(steps, "cosine"),
        passes=Passes(Group(device=device_of(network))),
        companions=companions,
        checks_gradient=False,
    )


@contextmanager
def _only_students_learn(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and gradient for students and gates alone; restored afterwards."""
    students, gates = learning_parameters(network)
    learning = {id(p) for p in (*students, *gates)}
    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    for parameter, _ in before:
        parameter.requires_grad_(id(parameter) in learning)
    try:
        with evaluation_mode(network):
            yield
    finally:
        for parameter, learned in before:
            parameter.requires_grad_(learned)
