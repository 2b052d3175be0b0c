"""The training loop: steps, looks at the tune split, checkpoints, resumption."""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset
from tqdm import tqdm

from deltadistill.processes.checkpoint import Checkpoint
from deltadistill.processes.group import ALONE, Group
from deltadistill.processes.interruption import Interrupted, Interruption
from deltadistill.training.divergence import first_layer_not_finite, parameters_not_finite
from deltadistill.training.loading import read_ahead

Row = dict[str, float]

log = logging.getLogger(__name__)


class Trainee(Protocol):
    """A training as the loop sees it: what a step and a look at the tune split are."""

    @property
    def network(self) -> nn.Module:
        """The network that learns."""

    def losses(self, index: int, batch: dict[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
        """Yield "loss" and its terms, pass by pass, for step `index`; weights stay, so it can be redone."""

    def step(self, index: int, batch: dict[str, torch.Tensor]) -> Row:
        """Do optimiser step `index`; return figures for the curve.

        Raises FloatingPointError, and leaves the weights as they were, where a loss or the gradient is not
        finite.
        """

    def tune_score(self, between: Callable[[], None]) -> float:
        """Score of the network on the tune split; higher is better.

        Calls `between` after each batch, or round of batches of several processes; it may raise.
        """

    def judged_weights(self) -> AbstractContextManager[None]:
        """Inside, the network has the weights that `tune_score` judges and that are kept, if others."""

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
    group: Group = ALONE,
    loading_threads: int = 0,
) -> Outcome:
    """Train for `steps` optimiser steps and return the best network by the tune split.

    batches: item i is the batch of step i, a function of i alone; PyTorch's generator is seeded by `seed` and
    the step. So a training that was interrupted and resumed ends bit for bit where an uninterrupted one ends
    (same machine and thread count).
    SIGINT, SIGTERM and SIGUSR1 write a checkpoint and end the process (KeyboardInterrupt, or exit code 128 +
    number): after the running step, or at once during a look at the tune split, which is taken again later.
    group: the processes that train together, each on its part of every batch; the first one writes
        checkpoints and shows progress, and a signal to any of them ends all at the same step.
    loading_threads: threads that read batches ahead; 0: none.
    Raises FloatingPointError with step, layer and last checkpoint when a loss or a gradient is not finite.
    """
    training = _Training(trainee, steps, evaluate_every, seed, checkpoint, log_every, on_row, group)
    training.resume()
    with Interruption(group) as interruption:
        try:
            steps_left = range(training.steps_done, steps)
            with read_ahead(batches, steps_left, threads=loading_threads) as loader:
                training.run(loader, interruption, title)
        except Interrupted:
            training.save()
            if checkpoint:
                checkpoint.wait()
            group.wait()  # a process that ends takes the others with it
            log.warning("%s: %s after step %d", title, interruption.came.name, training.steps_done)
            interruption.stop()
    return training.outcome


@dataclass
class _Training:
    """A training under way.

    row: the last step's figures while its look at the tune split is to come.
    look_s: seconds that the last look took; before the first, when nobody knows, it may be any number.
    """

    trainee: Trainee
    steps: int
    evaluate_every: int
    seed: int
    checkpoint: Checkpoint | None
    log_every: int
    on_row: Callable[[Row], None] | None
    group: Group
    outcome: Outcome = field(default_factory=Outcome)
    steps_done: int = 0
    row: Row | None = None
    look_s: float = math.inf

    def run(self, loader: Iterator[dict[str, torch.Tensor]], interruption: Interruption, title: str) -> None:
        """Do the steps that are left; raises Interrupted where a signal asks for an end."""
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
            disable=not self.group.is_first,
        )
        for batch in bar:
            self._step(batch)
            bar.set_postfix_str(_summary(self.row, self.outcome), refresh=False)
            self._finish_step(interruption)
            interruption.agree()
            if self.steps_done < self.steps:
                self._save_if_due()

    def save(self) -> None:
        """Write a checkpoint, where the training has any."""
        if self.checkpoint and self.group.is_first:
            self.checkpoint.save(
                {
                    "trainee": self.trainee.state(),
                    "outcome": vars(self.outcome),
                    "steps_done": self.steps_done,
                    "row": self.row,
                }
            )

    def _save_if_due(self, *, ahead: float = 0.0) -> None:
        if self.checkpoint and self.checkpoint.is_due(ahead=ahead):
            self.save()

    def resume(self) -> None:
        """Go back to the last checkpoint, where there is one."""
        state = self.checkpoint.load() if self.checkpoint and self.group.is_first else None
        state = self.group.of_first(state)
        if state is not None:
            self.trainee.restore(state["trainee"])
            self.outcome = Outcome(**state["outcome"])
            self.steps_done, self.row = state["steps_done"], state["row"]

    def _step(self, batch: dict[str, torch.Tensor]) -> None:
        index = self.steps_done
        self._seed_generator(index)
        try:
            self.row = {"step": index + 1, **self.trainee.step(index, batch)}
        except FloatingPointError as error:
            raise FloatingPointError(self._diagnosis(index, batch, error)) from None
        self.steps_done = index + 1

    def _seed_generator(self, index: int) -> None:
        """Let every process draw numbers of its own, as a function of the step."""
        others = () if self.group.is_first else (self.group.rank,)
        torch.manual_seed(_generator_seed(self.seed, index, *others))

    def _finish_step(self, interruption: Interruption) -> None:
        """Look at the tune split and note the figures, each where its turn has come."""
        row = self.row
        look = row["step"] % self.evaluate_every == 0 or row["step"] == self.steps
        if look:
            self._save_if_due(ahead=self.look_s)  # what a kill takes must not grow by the look's length
            began = time.monotonic()
            with self.trainee.judged_weights():
                with interruption.at_once():
                    row["tune_score"] = self.trainee.tune_score(interruption.agree)
                self._keep_if_best(row)
            self.look_s = time.monotonic() - began
        self.row = None
        if look or row["step"] % self.log_every == 0 or row["step"] == 1:
            self.outcome.curve.append(row)
            if self.on_row:
                self.on_row(row)

    def _keep_if_best(self, row: Row) -> None:
        outcome, trainee = self.outcome, self.trainee
        if math.isnan(row["tune_score"]):
            raise ValueError(
                "the tune split gives no score: nothing in it is annotated, or the teacher that stands for "
                "annotations finds nothing; choose other tune clips"
            )
        if row["tune_score"] > outcome.best_score and trainee.may_be_best(int(row["step"])):
            outcome.best_score, outcome.best_step = row["tune_score"], int(row["step"])
            outcome.best_state = {k: v.detach().clone() for k, v in trainee.network.state_dict().items()}

    def _diagnosis(self, index: int, batch: dict[str, torch.Tensor], error: FloatingPointError) -> str:
        network = self.trainee.network
        if broken := parameters_not_finite(network):
            where = f"{broken[0]} of the network holds NaN or infinity already"
        else:
            self._seed_generator(index)
            layer = first_layer_not_finite(
                network, lambda: deque(self.trainee.losses(index, batch), maxlen=0)
            )
            layer = self.group.first_known(layer)
            where = f"the first layer without finite output is {layer}" if layer else "all layers are finite"
        kept = self.checkpoint.kept() if self.checkpoint else None
        return f"step {index + 1}: {error}; {where}; lower the learning rate or clip the gradient. " + (
            f"The last checkpoint is kept: {kept}" if kept else "There is no checkpoint yet"
        )


def _generator_seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _summary(row: Row, outcome: Outcome) -> str:
    best = f", best tune score {outcome.best_score:.2f}" if outcome.best_score > -math.inf else ""
    return f"loss {row['loss']:.3f}{best}"
