"""Stages of a training in which some modules alone learn, and the rest of the network stays as it is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from deltadistill.forward.named_modules import named_module


@dataclass(frozen=True)
class OnlyLearn:
    """From step `begin` up to step `end` only what is in `modules` of a network learns.

    modules: names as `named_modules()` has them. Where stages overlap, what any of them names learns.
    """

    modules: tuple[str, ...]
    begin: int
    end: int

    @classmethod
    def of_shares(
        cls, modules: Sequence[str], starts: float, until: float, *, steps: int, network: nn.Module
    ) -> "OnlyLearn":
        """Between two shares of the steps, rounded as an objective's (distillation/weighted.py).

        Raises ValueError for a module that the network does not have, and for one without parameters.
        """
        for name in modules:
            module = named_module(network, name, wanted_by="optimiser.only_learn")
            if next(module.parameters(), None) is None:
                raise ValueError(
                    f"optimiser.only_learn names {name!r}, a {type(module).__name__} without parameters, "
                    "which has nothing to learn; name a module that holds weights"
                )
        return cls(tuple(modules), round(starts * steps), round(until * steps))

    def holds(self, step: int) -> bool:
        """Whether a step lies in this stage."""
        return self.begin <= step < self.end


def still_modules(network: nn.Module, stages: Iterable[OnlyLearn], step: int) -> list[tuple[str, nn.Module]]:
    """Modules that stay as they are at a step, by name; those that hold a learning one are left out."""
    learning = _learning(stages, step)
    return [
        (name, module)
        for name, module in network.named_modules()
        if learning and not any(_within(name, other) or _within(other, name) for other in learning)
    ]


def still_parameters(network: nn.Module, stages: Iterable[OnlyLearn], step: int) -> Iterator[nn.Parameter]:
    """Parameters of a network that stay as they are at a step."""
    learning = _learning(stages, step)
    moving = {id(p) for name in learning for p in network.get_submodule(name).parameters()}
    yield from (p for p in network.parameters() if learning and id(p) not in moving)


def _learning(stages: Iterable[OnlyLearn], step: int) -> set[str]:
    return {name for stage in stages if stage.holds(step) for name in stage.modules}


def _within(name: str, other: str) -> bool:
    """Whether the module `name` is `other` or lies in it."""
    return other == "" or name == other or name.startswith(f"{other}.")
