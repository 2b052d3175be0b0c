"""Distillation of any delta network on clips without labels: the teacher stays, students and gates learn."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable, macs_of_blocks
from deltadistill.account.macs import count_macs
from deltadistill.blocks.candidates import COMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.sessions import ClipSession, hint_at_channels, require_frames
from deltadistill.blocks.stream import forward_clip
from deltadistill.distillation.losses import distillation_loss, expected_cost, probe_teacher
from deltadistill.distillation.search import CandidateDraws, learning_parameters, settle_at
from deltadistill.forward.clip_axes import later_frames
from deltadistill.forward.modes import evaluation_mode
from deltadistill.forward.outputs import frame_outputs

_WARM_UP, _FREEZE = 0.1, 0.5  # shares of the steps: gates rest before the one, are final after the other


def distill(
    network: nn.Module,
    clips: Tensor,
    *,
    steps: int,
    batch: int = 2,
    cost: float | None = None,
    costs: CostTable | None = None,
    length: int = 3,
    learning_rate: float = 0.003,
    beta: float = 0.5,
    seed: int = 0,
    progress: bool = True,
) -> list[float]:
    """Train the students of a converted network in place, by the teacher's own deltas (Eq. 2).

    clips: (N, T, C, H, W), T ≥ 2, as the network takes frames; the first frame of each is its key frame.
    steps, batch: optimiser steps, and clips per step (drawn anew for each).
    cost: what a frame shall cost at sequence length `length`, as a share of the teacher's: a search then
        decides per block whether to compress (§3.2). None compresses every undecided block.
    costs: what candidates cost, such as milliseconds measured on your device. None: MACs of the network.
    learning_rate: of the students (Adam, falling to zero along a cosine); gates learn ten times as fast.
    beta: weight of the distance from the wanted cost.

    No label is needed; the teacher's weights and batch norm statistics stay as they are. Blocks are decided
    afterwards, ready for `deploy`. Returns the distillation loss of every step.
    A second call goes on with the students: with `cost` it searches anew from the gates, without it blocks
    keep what a search decided.
    Raises ValueError for clips of another form, for a network without candidates to train, for costs of
    other blocks, and for a cost out of reach, before anything is trained; FloatingPointError with the step
    when the loss is not finite.
    """
    require_frames(clips, "(N, T, C, H, W)")
    hint_at_channels(network, clips)
    if clips.shape[0] < 1 or clips.shape[1] < 2:
        raise ValueError(f"expected clips (N, T, C, H, W) of at least 2 frames, got {tuple(clips.shape)}")
    if steps < 1 or batch < 1:
        raise ValueError(f"steps {steps} and batch {batch} must be at least 1")
    _require_candidates(network)
    target = None if cost is None else AmortisedTarget(cost, length)
    costs = _costs(network, clips.shape[2:], target, costs)
    warmup, freeze = _WARM_UP * steps, int(_FREEZE * steps)
    losses = []
    with _only_students_learn(network):
        optimiser = torch.optim.Adam(_parameter_groups(network, learning_rate))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for step in tqdm(range(steps), desc="distilling", unit="step", disable=not progress):
            searching = target is not None and warmup <= step < freeze
            if target is not None and step == freeze:
                settle_at(network, costs, target)
            draws = CandidateDraws(network, seed=seed, step=step, learning=step >= warmup)
            loss = distillation = _step_loss(network, _draw(clips, batch, seed, step), draws)
            if searching:
                loss = loss + beta * (expected_cost(network, costs) - target.delta_share).abs()
            losses.append(_finite(distillation, step))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return losses


def _require_candidates(network: nn.Module) -> None:
    blocks = delta_blocks(network).values()
    if not blocks:
        raise ValueError("the network has no converted blocks; distill what convert returns")
    if any(block.gate is None for block in blocks):
        raise ValueError(
            "the network is deployed: its blocks have one candidate each and no gate, so nothing is left to "
            "choose; distill the network that convert returned, and deploy it afterwards"
        )


def _costs(
    network: nn.Module, frame: torch.Size, target: AmortisedTarget | None, costs: CostTable | None
) -> CostTable | None:
    """The table for a search, from undecided blocks; without a target undecided blocks are compressed."""
    if target is None:
        if costs is not None:
            raise ValueError("costs are for a search, which needs a cost to reach; give cost as well")
        for block in delta_blocks(network).values():
            block.decide(block.decided or COMPRESSED)
        return None
    if costs is None:
        costs = macs_of_blocks(count_macs(network, frame), length=target.length)
    costs.require_blocks_of(network)
    costs.require_target(target)
    for block in delta_blocks(network).values():
        block.undecide()
    return costs


def _draw(clips: Tensor, batch: int, seed: int, step: int) -> Tensor:
    generator = np.random.default_rng([seed, step])
    return clips[generator.choice(len(clips), batch, replace=len(clips) < batch)]


def _step_loss(network: nn.Module, clips: Tensor, draws: CandidateDraws) -> Tensor:
    targets = probe_teacher(network, later_frames(clips)).targets
    session = ClipSession(clips.shape[1], choose=draws, targets=targets)
    forward_clip(network, clips, session=session, run=frame_outputs)
    return distillation_loss(session.errors.values())


def _finite(loss: Tensor, step: int) -> float:
    value = loss.item()
    if not isfinite(value):
        raise FloatingPointError(
            f"step {step + 1}: the distillation loss is {value}; lower the learning rate, and see that the "
            "clips and the teacher's outputs on them are finite"
        )
    return value


def _parameter_groups(network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
    students, gates = learning_parameters(network)
    return [{"params": students, "lr": learning_rate}, {"params": gates, "lr": 10 * learning_rate}]


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
