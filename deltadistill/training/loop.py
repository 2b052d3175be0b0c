"""The training loop: steps, looks at the tune split, checkpoints, resumption."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from signal import SIGINT, SIGTERM, signal
from threading import current_thread, main_thread
from typing import Any, Protocol

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from deltadistill.training.checkpoint import Checkpoint

Row = dict[str, float]


class Trainee(Protocol):
    """A training as the loop sees it: what a step and a look at the tune split are."""

    @property
    def network(self) -> nn.Module:
        """The network that learns."""

    def step(self, index: int, batch: dict[str, torch.Tensor]) -> Row:
        """Do optimiser step `index`; return figures for the curve."""

    def tune_score(self) -> float:
        """Score of the network on the tune split; higher is better."""

    def may_be_best(self, steps_done: int) -> bool:
        """Whether a network after so many steps may be the training's result."""

    def state(self) -> dict[str, Any]:
        """Everything that the training changes, as tensors and plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` returned."""


@dataclass
class Outcome:
    """What a training leaves: the best network's weights, its score and step, and the curve."""

    best_state: dict[str, torch.Tensor] | None = None
    best_score: float = -math.inf
    best_step: int = 0
    curve: list[Row] = field(default_factory=list)


def train(
    trainee: Trainee,
    batches: Dataset,
    *,
    steps: int,
    evaluate_every: int,
    checkpoint: Checkpoint | None = None,
    log_every: int = 10,
    on_row: Callable[[Row], None] | None = None,
    title: str = "training",
) -> Outcome:
    """Train for `steps` optimiser steps and return the best network by the tune split.

    batches: item i is the batch of step i, a function of i alone; with the steps' own randomness drawn
    from their index as well, a training that was interrupted and resumed ends bit for bit where an
    uninterrupted one ends (same machine and thread count).
    Raises FloatingPointError with the step when a loss is not finite.
    """
    outcome, start = _resume(trainee, checkpoint)
    loader = DataLoader(batches, batch_size=None, sampler=range(start, steps))
    bar = tqdm(loader, initial=start, total=steps, desc=title, unit="step", smoothing=0.05, mininterval=1)
    with _Interruption() as interruption:
        for done, batch in enumerate(bar, start + 1):
            row = {"step": done, **trainee.step(done - 1, batch)}
            _require_finite(row)
            look = done % evaluate_every == 0 or done == steps
            if look:
                _look(trainee, outcome, row)
            if look or done % log_every == 0 or done == 1:
                outcome.curve.append(row)
                bar.set_postfix_str(_summary(row, outcome))
                if on_row:
                    on_row(row)
            if checkpoint and done < steps and (checkpoint.is_due() or interruption.came):
                checkpoint.save({"trainee": trainee.state(), "outcome": vars(outcome), "steps_done": done})
            interruption.stop_if_it_came()
    return outcome


def _look(trainee: Trainee, outcome: Outcome, row: Row) -> None:
    row["tune_miou"] = trainee.tune_score()
    if row["tune_miou"] > outcome.best_score and trainee.may_be_best(int(row["step"])):
        outcome.best_score, outcome.best_step = row["tune_miou"], int(row["step"])
        outcome.best_state = {k: v.detach().clone() for k, v in trainee.network.state_dict().items()}


def _resume(trainee: Trainee, checkpoint: Checkpoint | None) -> tuple[Outcome, int]:
    state = checkpoint.load() if checkpoint else None
    if state is None:
        return Outcome(), 0
    trainee.restore(state["trainee"])
    return Outcome(**state["outcome"]), state["steps_done"]


def _require_finite(row: Row) -> None:
    wrong = {name: value for name, value in row.items() if not math.isfinite(value)}
    if wrong:
        raise FloatingPointError(
            f"step {row['step']:.0f}: {wrong} is not finite; lower the learning rate or clip the gradient"
        )


def _summary(row: Row, outcome: Outcome) -> str:
    best = f", best tune mIoU {outcome.best_score:.2f}" if outcome.best_score > -math.inf else ""
    return f"loss {row['loss']:.3f}{best}"


class _Interruption:
    """Holds SIGINT and SIGTERM back until a step is whole, so that a checkpoint can be written first.

    A second signal stops at once.
    """

    def __init__(self):
        self.came: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self):
        if current_thread() is main_thread():
            self._before = {number: signal(number, self._note) for number in (SIGINT, SIGTERM)}
        return self

    def __exit__(self, *exception: object):
        for number, handler in self._before.items():
            signal(number, handler)

    def stop_if_it_came(self) -> None:
        if self.came == SIGINT:
            raise KeyboardInterrupt
        if self.came:
            raise SystemExit(128 + self.came)

    def _note(self, number: int, frame: object) -> None:
        if self.came:
            raise SystemExit(128 + number)
        self.came = number
