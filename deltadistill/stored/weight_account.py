"""What becomes of the tensors in a file that are not loaded: none goes unmentioned."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from deltadistill.stored.weight_names import NO_TENSOR, reason
from deltadistill.stored.weight_sets import NameHere, WeightSet, containers, is_aside, is_average, items

COPY = "another copy of the weights"
OUTSIDE = "outside of the weights that were taken"


def beside(taken: WeightSet, sets: list[WeightSet], here: NameHere) -> dict[str, str]:
    """Reasons for what lies in the container of the weights and belongs to no set of weights."""
    rest = {n: v for n, v in taken.container.items() if n not in taken.names.values()}
    copies = _copies(taken, sets, here)
    return {
        name: reason(name, value, rest) if isinstance(value, Tensor) else NO_TENSOR
        for name, value in rest.items()
        if (id(taken.container), name) not in copies
    }


def _copies(taken: WeightSet, sets: list[WeightSet], here: NameHere) -> set[tuple[int, str]]:
    """Container and name of every tensor that is one of a set other than the one taken."""
    return {
        (id(s.container), file_name)
        for s in sets
        if s.label != taken.label
        for name, file_name in s.names.items()
        if here(name, None) is not None
    }


def elsewhere(
    content: Mapping[Any, Any],
    taken: WeightSet,
    sets: list[WeightSet],
    here: NameHere,
    loaded: set[tuple[int, str]],
) -> dict[str, str]:
    """What every tensor is that was neither loaded nor is among the unused ones, by its place.

    loaded: container and name of those that were loaded from other sets than the one taken.
    """
    copies = _copies(taken, sets, here)
    return {
        ".".join((*path, key)): COPY if (id(container), key) in copies else OUTSIDE
        for path, container in containers(content)
        for key, value in items(container)
        if isinstance(value, Tensor) and (id(container), key) not in loaded
        if container is not taken.container or (id(container), key) in copies
    }


def unread_averages(content: Mapping[Any, Any], sets: list[WeightSet]) -> list[str]:
    """Places of tensors that are called an average and have no name of the network, or none at all."""
    read = {s.place for s in sets}
    return [
        ".".join(path)
        for path, container in containers(content)
        if any(isinstance(value, Tensor) for _, value in items(container))
        if any(map(is_average, path)) and not is_aside(path, content) and ".".join(path) not in read
    ]
