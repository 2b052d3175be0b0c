"""Which of the weights in a file are meant: raw ones, a moving average of them, or what the caller names.

A set of weights is a mapping of tensors by name, or what lies in one behind `teacher.`, `ema_model.` and
the like. Nothing is guessed: where several sets fit a network equally and none is known as the average of
another, they are named and refused.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from deltadistill.files.stand_ins import StandIn

PREFERENCES = ("ema", "raw")
NameHere = Callable[[str, Tensor | None], str | None]
"""The network's name of a file's tensor, or None. With a tensor: only where its shape fits too."""

LONGEST_NAME = 1000  # characters; of the published networks, 70
_AVERAGE = re.compile(r"(?:^|[^a-z])(?:ema|swa|avg|averaged?|shadow)(?:[^a-z]|$)")
_OPTIMISER = re.compile(r"optim|opt(?:$|_)|exp_avg|grad|momentum")
_WRAPPERS = ("module", "_orig_mod", "model", "net", "network")
_RAW_ROLES = ("student", "online_model")


@dataclass(frozen=True)
class WeightSet:
    """`names`: the tensors' names as a network may have them → their names in `container`.

    place: of the container in the file, keys joined by dots. beginning: of its names that were taken off.
    """

    place: str
    beginning: str
    container: Mapping[Any, Any]
    names: Mapping[str, str]
    average: bool
    fits: frozenset[str] = field(default=frozenset())

    @property
    def label(self) -> str:
        """What the user calls it: the argument `part` of `load_weights`."""
        return ".".join(part for part in (self.place, self.beginning.rstrip("._")) if part)

    def value(self, name: str) -> Any:
        """The value of one of `names`."""
        return self.container[self.names[name]]


def weight_sets(content: Mapping[Any, Any], name_here: NameHere, own: Mapping[str, Any]) -> list[WeightSet]:
    """Return every set in a file of which something belongs to the network.

    own: the network's names. Raises ValueError for mappings that hold themselves.
    """
    sets = []
    for path, container in containers(content):
        if isinstance(container, Mapping) and not is_aside(path, content):
            average = "n_averaged" in container or any(map(is_average, path))
            for beginning, names in _by_beginning(container, name_here, own).items():
                known = average or (is_average(beginning) and beginning != _EXCHANGED)
                sets.append(WeightSet(".".join(path), beginning, container, names, known))
    fitting = [replace(s, fits=fits(s, name_here, by_shape=True)) for s in sets]
    if not any(s.fits for s in fitting):  # by name alone; what is wrong with the shapes is said later
        fitting = [replace(s, fits=fits(s, name_here, by_shape=False)) for s in sets]
    return _with_known_roles([s for s in fitting if s.fits], content)


def fits(weights: WeightSet, name_here: NameHere, *, by_shape: bool) -> frozenset[str]:
    """The names of the network for which the set has a tensor, by name alone or by shape too."""
    tensors = {n: weights.value(n) for n in weights.names if isinstance(weights.value(n), Tensor)}
    return frozenset({name_here(n, t if by_shape else None) for n, t in tensors.items()} - {None})


def containers(content: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every mapping, sequence and stand-in with the keys that lead to it, each once, outer ones first."""
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], Any, tuple[int, ...]]] = [((), content, ())]
    for path, value, outer in waiting:
        if id(value) in outer:
            raise ValueError("tensors by name are expected, got mappings more than 10 deep: one holds itself")
        if id(value) in seen or not isinstance(value, Mapping | list | tuple | set | StandIn):
            continue
        seen.add(id(value))
        yield path, value
        around = (*outer, id(value)) if isinstance(value, Mapping) and len(outer) < 10 else ()
        waiting += [((*path, f"{key:.{LONGEST_NAME}}"), inner, around) for key, inner in items(value)]


def items(container: Any) -> list[tuple[str, Any]]:
    """What is in a container, keys as text."""
    if isinstance(container, Mapping):
        return [(str(key), value) for key, value in container.items()]
    parts = container.parts if isinstance(container, StandIn) else container
    return [(str(number), value) for number, value in enumerate(parts)]


def is_average(word: str) -> bool:
    """Whether a key or a beginning of names says that it holds an average."""
    return _AVERAGE.search(word.lower()) is not None


def is_aside(path: tuple[str, ...], content: Mapping[Any, Any]) -> bool:
    """Whether this is the state of an optimiser, or the best network so far in a training of this project."""
    if "trainee" in content and path[:1] == ("outcome",):
        return True
    return any(_OPTIMISER.match(key.lower()) for key in path)


_EXCHANGED = "ema_"  # mmcv's hook keeps raw weights so, and their average where the weights were


def _by_beginning(
    container: Mapping[Any, Any], name_here: NameHere, own: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """The names of a container by what stands before them, without it."""
    run_together = {name.replace(".", ""): name for name in own}
    underscored = {name.replace(".", "_"): name for name in own}
    texts = [name for name in container if isinstance(name, str) and len(name) <= LONGEST_NAME]
    roles = ("teacher", *_RAW_ROLES) if any(_role(name)[1] in _RAW_ROLES for name in texts) else ()
    found: dict[str, dict[str, str]] = {}
    for name in texts:
        beginning, rest = _split(name, name_here, own, roles)
        if beginning:
            rest = run_together.get(rest, rest) if name_here(rest, None) is None else rest
        elif name.startswith(_EXCHANGED) and name.removeprefix(_EXCHANGED) in underscored:
            beginning, rest = _EXCHANGED, underscored[name.removeprefix(_EXCHANGED)]
        found.setdefault(beginning, {})[rest] = name
    return found


def _split(name: str, name_here: NameHere, own: Mapping[str, Any], roles: tuple[str, ...]) -> tuple[str, str]:
    """Take off what tells whose weights a tensor is one of, unless the network itself has such a name."""
    beginning, role, rest = _role(name)
    if name in own or not role:
        return "", name
    if role in roles or (is_average(role) and name_here(name, None) is None):
        return beginning, rest
    return "", name


def _role(name: str) -> tuple[str, str, str]:
    """The first part of a name that is no wrapper: the name up to behind it, itself, and what follows."""
    first, dot, rest = name.partition(".")
    while dot and first in _WRAPPERS:
        first, dot, rest = rest.partition(".")
    return (name.removesuffix(rest), first, rest) if dot else ("", "", name)


def _with_known_roles(sets: list[WeightSet], content: Mapping[Any, Any]) -> list[WeightSet]:
    """Tell averages from raw weights where it takes more than their own name."""
    labels = {s.label: s for s in sets}
    exchanged = {s.place for s in sets if s.beginning == _EXCHANGED}
    told = _told_by_file(content)
    known = []
    for s in sets:
        student = labels.get(re.sub(r"\bteacher\b", "student", s.label))
        if student not in (None, s) and student.fits == s.fits:
            s = replace(s, average=True)
        if s.place in exchanged:
            s = replace(s, average=s.beginning != _EXCHANGED)
        known.append(replace(s, average=told.get(s.place, s.average)))
    return known


def _told_by_file(content: Mapping[Any, Any]) -> dict[str, bool]:
    """Programs that write the average where others write the raw weights, by place: whether it is one."""
    meta = content.get("meta")
    of_mmengine = "message_hub" in content or (isinstance(meta, Mapping) and "mmengine_version" in meta)
    if of_mmengine and "ema_state_dict" in content:
        return {"state_dict": True, "ema_state_dict": False}
    if "current_model_state" in content:  # Lightning's WeightAveraging
        return {"state_dict": True, "current_model_state": False}
    return {}


def chosen(sets: list[WeightSet], *, prefer: str) -> WeightSet:
    """Return the set that is meant. Raises ValueError, which names them, where that is not known."""
    averages = [s for s in sets if s.average]
    raw = [s for s in sets if not s.average]
    if prefer == "raw":
        return widest(raw or averages)
    return widest(averages or raw)


def widest(sets: list[WeightSet]) -> WeightSet:
    """Return the set that has all that the others have of the network.

    Raises ValueError, which names them, where several have.
    """
    full = [s for s in sets if not any(s.fits < other.fits for other in sets)]
    different = [s for s in full[1:] if not _equal(s, full[0])]
    if different:
        named = ", ".join(f"{s.label or 'the whole file'} ({len(s.fits)} tensors)" for s in full)
        parts = " or ".join(f"part={s.label!r}" for s in full)
        raise ValueError(f"several sets of weights may be meant: {named}; choose one by {parts}")
    return full[0]


def _equal(one: WeightSet, other: WeightSet) -> bool:
    return one.names.keys() == other.names.keys() and all(
        torch.equal(one.value(name), other.value(name))
        for name in one.names
        if isinstance(one.value(name), Tensor) and isinstance(other.value(name), Tensor)
    )


def require_names(container: Mapping[Any, Any]) -> None:
    """ValueError for a container of weights in which something has no name."""
    for name in container:
        if not isinstance(name, str) or len(name) > LONGEST_NAME:
            raise ValueError(
                f"tensors by name are expected, got the name {name!r:.50}; a name is text of at most "
                f"{LONGEST_NAME} characters"
            )
