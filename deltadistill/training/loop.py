"""The training loop: steps, looks at the tune split, checkpoints, resumption."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from deltadistill.training.checkpoint import Checkpoint
from deltadistill.training.divergence import first_layer_not_finite, parameters_not_finite
from deltadistill.training.interruption import Interrupted, Interruption

Row = dict[str, float]

log = logging.getLogger(__name__)


class Trainee(Protocol):
    """A training as the loop sees it: what a step and a look at the tune split are."""

    @property
    def network(self) -> nn.Module:
        """The network that learns."""

    def losses(self, index: int, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return "loss" and its terms for step `index`; weights stay, so that the pass can be repeated."""

    def step(self, index: int, batch: dict[str, torch.Tensor]) -> Row:
        """Do optimiser step `index`; return figures for the curve.

        Raises FloatingPointError, and leaves the weights as they were, where a loss or the gradient is not
        finite.
        """

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
    seed: int,
    checkpoint: Checkpoint | None = None,
    log_every: int = 10,
    on_row: Callable[[Row], None] | None = None,
    title: str = "training",
) -> Outcome:
    """Train for `steps` optimiser steps and return the best network by the tune split.

    batches: item i is the batch of step i, a function of i alone; PyTorch's generator is seeded by `seed` and
    the step. So a training that was interrupted and resumed ends bit for bit where an uninterrupted one ends
    (same machine and thread count).
    SIGINT, SIGTERM and SIGUSR1 write a checkpoint and end the process (KeyboardInterrupt, or exit code 128 +
    number): after the running step, or at once during a look at the tune split, which is taken again later.
    Raises FloatingPointError with step, layer and last checkpoint when a loss or a gradient is not finite.
    """
    training = _Training(trainee, steps, evaluate_every, seed, checkpoint, log_every, on_row)
    training.resume()
    with Interruption() as interruption:
        try:
            training.run(batches, interruption, title)
        except Interrupted:
            training.save()
            if checkpoint:
                checkpoint.wait()
            log.warning("%s: %s after step %d", title, interruption.came.name, training.steps_done)
            interruption.stop()
    return training.outcome


@dataclass
class _Training:
    """A training under way. `row`: the last step's figures while its look at the tune split is to come."""

    trainee: Trainee
    steps: int
    evaluate_every: int
    seed: int
    checkpoint: Checkpoint | None
    log_every: int
    on_row: Callable[[Row], None] | None
    outcome: Outcome = field(default_factory=Outcome)
    steps_done: int = 0
    row: Row | None = None

    def run(self, batches: Dataset, interruption: Interruption, title: str) -> None:
        """Do the steps that are left; raises Interrupted where a signal asks for an end."""
        loader = DataLoader(batches, batch_size=None, sampler=range(self.steps_done, self.steps))
        if self.row:  # an interruption broke its look off
            self._finish_step(interruption)
        bar = tqdm(
            loader,
            initial=self.steps_done,
            total=self.steps,
            desc=title,
            unit="step",
            smoothing=0.05,
            mininterval=1,
        )
        for batch in bar:
            self._step(batch)
            bar.set_postfix_str(_summary(self.row, self.outcome), refresh=False)
            self._finish_step(interruption)
            if interruption.came:
                raise Interrupted
            if self.checkpoint and self.steps_done < self.steps and self.checkpoint.is_due():
                self.save()

    def save(self) -> None:
        """Write a checkpoint, where the training has any."""
        if self.checkpoint:
            self.checkpoint.save(
                {
                    "trainee": self.trainee.state(),
                    "outcome": vars(self.outcome),
                    "steps_done": self.steps_done,
                    "row": self.row,
                }
            )

    def resume(self) -> None:
        """Go back to the last checkpoint, where there is one."""
        state = self.checkpoint.load() if self.checkpoint else None
        if state is not None:
            self.trainee.restore(state["trainee"])
            self.outcome = Outcome(**state["outcome"])
            self.steps_done, self.row = state["steps_done"], state["row"]

    def _step(self, batch: dict[str, torch.Tensor]) -> None:
        index = self.steps_done
        torch.manual_seed(_step_seed(self.seed, index))
        try:
            self.row = {"step": index + 1, **self.trainee.step(index, batch)}
        except FloatingPointError as error:
            raise FloatingPointError(self._diagnosis(index, batch, error)) from None
        self.steps_done = index + 1

    def _finish_step(self, interruption: Interruption) -> None:
        """Look at the tune split and note the figures, each where its turn has come."""
        row = self.row
        look = row["step"] % self.evaluate_every == 0 or row["step"] == self.steps
        if look:
            with interruption.at_once():
                row["tune_miou"] = self.trainee.tune_score()
            self._keep_if_best(row)
        self.row = None
        if look or row["step"] % self.log_every == 0 or row["step"] == 1:
            self.outcome.curve.append(row)
            if self.on_row:
                self.on_row(row)

    def _keep_if_best(self, row: Row) -> None:
        outcome, trainee = self.outcome, self.trainee
        if row["tune_miou"] > outcome.best_score and trainee.may_be_best(int(row["step"])):
            outcome.best_score, outcome.best_step = row["tune_miou"], int(row["step"])
            outcome.best_state = {k: v.detach().clone() for k, v in trainee.network.state_dict().items()}

    def _diagnosis(self, index: int, batch: dict[str, torch.Tensor], error: FloatingPointError) -> str:
        network = self.trainee.network
        if broken := parameters_not_finite(network):
            where = f"{broken[0]} of the network holds NaN or infinity already"
        else:
            torch.manual_seed(_step_seed(self.seed, index))
            layer = first_layer_not_finite(network, lambda: self.trainee.losses(index, batch))
            where = f"the first layer without finite output is {layer}" if layer else "all layers are finite"
        kept = self.checkpoint.kept() if self.checkpoint else None
        return f"step {index + 1}: {error}; {where}; lower the learning rate or clip the gradient. " + (
            f"The last checkpoint is kept: {kept}" if kept else "There is no checkpoint yet"
        )


def _step_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0])


def _summary(row: Row, outcome: Outcome) -> str:
    best = f", best tune mIoU {outcome.best_score:.2f}" if outcome.best_score > -math.inf else ""
    return f"loss {row['loss']:.3f}{best}"
