"""The optimiser: one learning rate per group of parameters, all following one schedule."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from deltadistill.training.eager_optimiser import eager
from deltadistill.training.schedule import annealed, multiplier

Groups = Iterable[tuple[Iterable[nn.Parameter], float]]


def build(name: str, groups: Groups, *, weight_decay: float, momentum: float) -> torch.optim.Optimizer:
    """Make "adamw", "sgd" or "adam" over (parameters, highest learning rate) groups; empty ones go."""
    listed = [{"params": list(parameters), "lr": rate, "highest_lr": rate} for parameters, rate in groups]
    listed = [group for group in listed if group["params"]]
    if name == "adamw":
        # fused: with many small tensors a loop over them takes a noticeable part of a step on a processor
        return eager(torch.optim.AdamW)(listed, weight_decay=weight_decay, fused=True)
    if name == "sgd":
        # not fused: that one cannot take parameters that have momentum beside some that learn for the first
        # time, such as a candidate that a gate draws later than others
        return eager(torch.optim.SGD)(listed, weight_decay=weight_decay, momentum=momentum)
    if name == "adam":
        return eager(torch.optim.Adam)(listed, weight_decay=weight_decay)
    raise ValueError(f"optimiser {name!r} is unknown; allowed: 'adamw', 'sgd', 'adam'")


@dataclass(frozen=True)
class Course:
    """Schedule of the learning rates over the whole training."""

    steps: int
    schedule: str
    power: float = 0.9
    drops: tuple[float, ...] = ()

    def set_rates(self, optimiser: torch.optim.Optimizer, step: int) -> None:
        """Give every group of `optimiser` its learning rate for `step`, by its "highest_lr"."""
        for group in optimiser.param_groups:
            group["lr"] = self._rate(group["highest_lr"], group["lr"], step)

    def _rate(self, highest: float, last: float, step: int) -> float:
        if self.schedule == "cosine":
            return annealed(highest, last, step, self.steps)
        return highest * multiplier(self.schedule, step, self.steps, power=self.power, drops=self.drops)
