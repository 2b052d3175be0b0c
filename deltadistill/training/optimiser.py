"""Optimiser steps: one learning rate per group of parameters, all following one schedule."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.training.moving_average import MovingAverage
from deltadistill.training.passes import Passes, sums
from deltadistill.training.precision import Precision
from deltadistill.training.schedule import multiplier

Groups = Iterable[tuple[Iterable[nn.Parameter], float]]


def build(name: str, groups: Groups, *, weight_decay: float, momentum: float) -> torch.optim.Optimizer:
    """Make "adamw" or "sgd" over (parameters, highest learning rate) groups; empty groups are left out."""
    listed = [{"params": list(parameters), "lr": rate, "highest_lr": rate} for parameters, rate in groups]
    listed = [group for group in listed if group["params"]]
    if name == "adamw":
        # fused: with many small tensors a loop over them takes a noticeable part of a step on a processor
        return torch.optim.AdamW(listed, weight_decay=weight_decay, fused=True)
    if name == "sgd":
        # not fused: that one cannot take parameters that have momentum beside some that learn for the first
        # time, such as a candidate that a gate draws later than others
        return torch.optim.SGD(listed, weight_decay=weight_decay, momentum=momentum)
    raise ValueError(f"optimiser {name!r} is unknown; allowed: 'adamw', 'sgd'")


@dataclass(frozen=True)
class Course:
    """Schedule of the learning rates over the whole training."""

    steps: int
    schedule: str
    power: float = 0.9
    drops: tuple[float, ...] = ()

    def share(self, step: int) -> float:
        """Share of its highest value that a learning rate has at `step`."""
        return multiplier(self.schedule, step, self.steps, power=self.power, drops=self.drops)


@dataclass(frozen=True)
class Descent:
    """A network on its way down a loss.

    clip_norm: longest gradient, over all parameters together, or None.
    passes: how a step's batch is shared among processes and divided into passes.
    average: what is judged and kept in place of the weights, or None for the weights themselves.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    course: Course
    clip_norm: float | None = None
    passes: Passes = field(default_factory=Passes)
    precision: Precision = field(default_factory=Precision)
    average: MovingAverage | None = None
    scaler: torch.amp.GradScaler = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "scaler", self.precision.scaler())

    def step(self, index: int, losses: Iterable[Mapping[str, Tensor]]) -> dict[str, float]:
        """Do optimiser step `index` with the gradient of "loss"; return the terms of the whole batch.

        losses: per pass, "loss" and its terms, each of which adds up over passes and processes.
        Raises FloatingPointError, before weights change, for a loss or a gradient that is not finite. In
        float16 such a gradient leaves the weights as they are, and the next is scaled by less.
        """
        self.optimiser.zero_grad(set_to_none=True)
        parts = []
        for terms in losses:
            self.scaler.scale(terms["loss"]).backward()
            parts.append({name: term.detach() for name, term in terms.items()})
        totals = self._totals(parts)
        if not isfinite(totals["loss"]):
            raise FloatingPointError(f"the loss is {totals['loss']}")
        self._add_gradients()
        self.scaler.unscale_(self.optimiser)
        self._bound_gradient()
        share = self.course.share(index)
        for group in self.optimiser.param_groups:
            group["lr"] = group["highest_lr"] * share
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average:
            self.average.update(self.network, index)
        return totals

    @property
    def learning_rate(self) -> float:
        """The first group's, at the last step."""
        return self.optimiser.param_groups[0]["lr"]

    def _totals(self, parts: list[dict[str, Tensor]]) -> dict[str, float]:
        values = [torch.stack([term.double() for term in terms.values()]) for terms in parts]
        return dict(zip(parts[0], sums(self.passes, values).tolist(), strict=True))

    def _add_gradients(self) -> None:
        """Sum the gradients of all processes, in one go: a step's passes are more than one forward."""
        if self.passes.group.size == 1:
            return
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        summed = self.passes.group.total(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for gradient, values in zip(gradients, summed.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(values.view_as(gradient))

    def _bound_gradient(self) -> None:
        parameters = [p for p in self.network.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in parameters])
        if not norm.isfinite():
            if self.scaler.get_scale() > 1:  # of float16: the scaler has seen it, and skips the step
                return
            wrong = [n for n, p in self.network.named_parameters() if p.grad is not None and _broken(p.grad)]
            raise FloatingPointError(f"the gradient of {wrong[-1] if wrong else 'all'} is not finite")
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm)

    @contextmanager
    def judged_weights(self) -> Iterator[None]:
        """Inside, the network has the weights that are judged and kept."""
        if self.average is None:
            yield
            return
        with self.average.in_place_of_weights(self.network):
            yield

    def state(self) -> dict[str, Any]:
        """Weights, their average where there is one, and the state of optimiser and scaler."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.values if self.average else {},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` returned."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average:
            self.average.restore(state["average"], self.network)


def _broken(tensor: Tensor) -> bool:
    return not tensor.isfinite().all()
