"""Parts of a file that the user names, and what is said where one should."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from deltadistill.stored.weight_sets import LONGEST_NAME, NameHere, WeightSet, containers, is_average

_LOOKED_AT = 2000  # tensors, until one is found whose name is the network's without its beginning


def named_part(content: Mapping[Any, Any], part: str) -> WeightSet:
    """Return the set that the user calls `part`: keys of the file and a beginning of names, joined by dots.

    Raises ValueError, which lists the mappings, where the file has no such part.
    """
    places = {}
    for path, container in containers(content):
        if isinstance(container, Mapping):
            places[".".join(path)] = container
    for place in sorted(places, key=len, reverse=True):
        rest = part if not place else part.removeprefix(place) if f"{part}.".startswith(f"{place}.") else None
        if rest is None:
            continue
        beginning = rest.strip(".") + "." if rest.strip(".") else ""
        texts = [name for name in places[place] if isinstance(name, str)]
        names = {name.removeprefix(beginning): name for name in texts if name.startswith(beginning)}
        if any(isinstance(places[place][name], Tensor) for name in names.values()):
            return WeightSet(place, beginning, places[place], names, is_average(part))
    listed = [place for place, c in places.items() if any(isinstance(v, Tensor) for v in c.values())]
    raise ValueError(f"the file has no tensors in part {part!r}; parts with tensors: {listed[:8]}")


def nothing_fits(content: Mapping[Any, Any], own: Mapping[str, Any], name_here: NameHere) -> str:
    """What to say of a file of which nothing belongs to the network."""
    tensors = [
        (".".join(path), str(name))
        for path, container in containers(content)
        if isinstance(container, Mapping)
        for name, value in container.items()
        if isinstance(value, Tensor)
    ]
    said = (
        f"nothing in it belongs to the network: the file has {[name for _, name in tensors[:3]]} …, "
        f"the network {list(own)[:3]} …"
    )
    hint = next(filter(None, (_part_of(*tensor, name_here) for tensor in tensors[:_LOOKED_AT])), None)
    return f"{said}; it would have them by part={hint!r}" if hint else said


def _part_of(place: str, name: str, name_here: NameHere) -> str | None:
    """The place and the beginning of a name, where the rest of it is one of the network's."""
    words = name[:LONGEST_NAME].split(".")
    for count in range(1, len(words) - 1):
        if name_here(".".join(words[count:]), None) is not None:
            return ".".join(filter(None, (place, *words[:count])))
    return None
