"""A network and its optimiser: a step from the losses of its passes, and the state to go on from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.training.moving_average import MovingAverage
from deltadistill.training.only_learn import OnlyLearn, still_modules, still_parameters
from deltadistill.training.optimiser import Course
from deltadistill.training.passes import Passes, sums
from deltadistill.training.precision import Precision


class LossNotFiniteError(FloatingPointError):
    """The loss of a step is NaN or infinite; `terms` has it and what it is made of."""

    def __init__(self, terms: Mapping[str, float]):
        super().__init__(f"the loss is {terms['loss']}")
        self.terms = terms


@dataclass(frozen=True)
class OptimisedNetwork:
    """A network with the optimiser that changes its weights, step by step.

    clip_norm: longest gradient, over all parameters together, or None.
    passes: how a step's batch is shared among processes and divided into passes.
    average: what is judged and kept in place of the weights, or None for the weights themselves.
    companions: modules that learn with the network and are no part of it, by name.
    checks_gradient: whether a gradient that is not finite, or too long to be measured, is an error; False
        where whoever trains judges the end and can go back to the start.
    only_learn: stages in which some modules alone learn. All others keep their weights then, and run as in
        use, so that their batch norm keeps its statistics; companions learn throughout.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    course: Course
    clip_norm: float | None = None
    passes: Passes = field(default_factory=Passes)
    precision: Precision = field(default_factory=Precision)
    average: MovingAverage | None = None
    companions: Mapping[str, nn.Module] = field(default_factory=dict)
    checks_gradient: bool = True
    only_learn: Sequence[OnlyLearn] = ()
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
        for _, module in still_modules(self.network, self.only_learn, index):
            module.training = False  # alone: what lies in it and learns is not touched
        parts = []
        for terms in losses:
            self.scaler.scale(terms["loss"]).backward()
            parts.append({name: term.detach() for name, term in terms.items()})
        totals = self._totals(parts)
        if not isfinite(totals["loss"]):
            raise LossNotFiniteError(totals)
        for parameter in still_parameters(self.network, self.only_learn, index):
            parameter.grad = None  # and so neither momentum nor weight decay moves it
        self._add_gradients()
        self.scaler.unscale_(self.optimiser)
        if self.checks_gradient:
            self._bound_gradient()
        self.course.set_rates(self.optimiser, index)
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
        gradients = [parameter.grad for _, parameter in self._with_gradient()]
        summed = self.passes.group.total(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for gradient, values in zip(gradients, summed.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(values.view_as(gradient))

    def _bound_gradient(self) -> None:
        named = self._with_gradient()
        parameters = [parameter for _, parameter in named]
        norm = nn.utils.get_total_norm([p.grad for p in parameters])
        if not norm.isfinite():
            if self.scaler.get_scale() > 1:  # of float16: the scaler has seen it, and skips the step
                return
            wrong = [name for name, parameter in named if _broken(parameter.grad)]
            raise FloatingPointError(f"the gradient of {wrong[-1] if wrong else 'all'} is not finite")
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, norm)

    def _with_gradient(self) -> list[tuple[str, nn.Parameter]]:
        """What the optimiser has a gradient for: the network's parameters in their order, then the others."""
        learning = {id(p) for group in self.optimiser.param_groups for p in group["params"]}
        modules = [("", self.network), *((f"{name}: ", module) for name, module in self.companions.items())]
        named = [(where + name, p) for where, module in modules for name, p in module.named_parameters()]
        return [(name, p) for name, p in named if p.grad is not None and id(p) in learning]

    def tensors(self) -> list[Tensor]:
        """All weights and buffers, of the network and its companions, which processes must have alike."""
        modules = (self.network, *self.companions.values())
        return [tensor for module in modules for tensor in module.state_dict().values()]

    @contextmanager
    def judged_weights(self) -> Iterator[None]:
        """Inside, the network has the weights that are judged and kept."""
        if self.average is None:
            yield
            return
        with self.average.in_place_of_weights(self.network):
            yield

    def state(self) -> dict[str, Any]:
        """Weights, their average where there is one, and the state of companions, optimiser and scaler."""
        return {
            "network": self.network.state_dict(),
            "companions": {name: module.state_dict() for name, module in self.companions.items()},
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.values if self.average else {},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` returned."""
        self.network.load_state_dict(state["network"])
        for name, module in self.companions.items():
            module.load_state_dict(state["companions"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average:
            self.average.restore(state["average"], self.network)


def _broken(tensor: Tensor) -> bool:
    return not tensor.isfinite().all()
