"""A set of weights given to a network: every tensor's place, its shape, and what is left over."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from deltadistill.blocks.candidates import COMPRESSED, DECISION, UNCOMPRESSED
from deltadistill.stored.public_names import as_here
from deltadistill.stored.weight_names import (
    COUNTER,
    REPEATED,
    SLOTS,
    STUDENT_BIAS,
    joined,
    name_here,
    reason,
    repeats,
)
from deltadistill.stored.weight_sets import NameHere

HARMLESS = (STUDENT_BIAS, REPEATED, COUNTER)  # nothing is lost by leaving these unused


def blocks_of(network: nn.Module) -> dict[str, Any]:
    """Return every converted block under each of its names.

    By what they can, not by their class: a teacher starts from these files and depends on no block.
    """
    modules = network.named_modules(remove_duplicate=False)
    return {name: module for name, module in modules if hasattr(type(module), "drop_unused")}


def names_here(own: Mapping[str, Tensor], blocks: Mapping[str, Any]) -> NameHere:
    """Return the function that tells of a file's tensor what the network calls it."""
    return partial(_name_here, own=own, blocks=blocks)


def _name_here(
    public: str, value: Tensor | None, *, own: Mapping[str, Tensor], blocks: Mapping[str, Any]
) -> str | None:
    name = name_here(public, own, blocks)
    if name is None or value is None:
        return name
    here = as_here(public, value) if value.ndim else value
    return name if here.shape == own[name].shape or here.numel() == own[name].numel() == 1 else None


def assign(
    found: Mapping[str, Any], own: Mapping[str, Tensor], blocks: Mapping[str, Any]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Give the values by the network's names, and for every unused name of the file the reason.

    Raises ValueError for shapes that do not fit, and for two tensors of one name.
    """
    origins: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for public, value in found.items():
        name = None if repeats(public, found) else name_here(public, own, blocks)
        if name is None or not isinstance(value, Tensor):
            reasons[public] = reason(public, value, found)
        elif name in origins:
            raise ValueError(f"both {origins[name]} and {public} belong to {name}; remove one of them")
        else:
            origins[name] = public
    return _fitting({name: as_here(public, found[public]) for name, public in origins.items()}, own), reasons


def _fitting(values: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the values if all their shapes fit; a single number fits as (1,) too."""
    values = {
        name: value.reshape(own[name].shape) if value.numel() == own[name].numel() == 1 else value
        for name, value in values.items()
    }
    misfits = [
        f"{name} has shape {tuple(value.shape)}, expected {tuple(own[name].shape)}"
        for name, value in values.items()
        if value.shape != own[name].shape
    ]
    if misfits:
        raise ValueError("the weights do not fit the network: " + listed(misfits))
    return values


def deployed_choices(values: Mapping[str, Tensor], blocks: Mapping[str, Any]) -> dict[str, str]:
    """Return the candidate of each block for which the file has one candidate and no gate.

    Raises ValueError for teachers that come without students.
    """
    choices, without = {}, []
    for name, block in blocks.items():
        slots = {s for s in SLOTS.values() if any(v.startswith(joined(name, s) + ".") for v in values)}
        candidates = slots & {UNCOMPRESSED, COMPRESSED}
        if slots == {"teacher"}:
            without.append(name or "the network itself")
        elif len(candidates) == 1 and "gate" not in slots and block.gate is not None:
            choices[name] = candidates.pop()
    if without:
        raise ValueError(
            f"no students for {listed(without)}; load per-frame weights before convert, which makes "
            "students of the teachers it finds"
        )
    return choices


def missing_names(
    network: nn.Module, values: Mapping[str, Tensor], choices: Mapping[str, str]
) -> tuple[str, ...]:
    """Name what stays as it was, but for the candidates and gates that the choices drop.

    Decisions are not missed: public files and older ones have none.
    """
    slots = {UNCOMPRESSED, COMPRESSED, "gate"}
    dropped = tuple(joined(name, slot) + "." for name, choice in choices.items() for slot in slots - {choice})
    decisions = {joined(name, DECISION) for name in blocks_of(network)}
    known = {*values, *decisions}
    return tuple(name for name in network.state_dict() if name not in known and not name.startswith(dropped))


def refuse_rest(missing: tuple[str, ...], reasons: Mapping[str, str]) -> None:
    """ValueError for what `strict` does not let pass."""
    unused = [f"{name} ({reason})" for name, reason in reasons.items() if reason not in HARMLESS]
    parts = [
        f"{word}: {listed(names)}" for word, names in (("missing", missing), ("unused", unused)) if names
    ]
    if parts:
        raise ValueError("; ".join(parts) + "; strict=False loads the rest")


def listed(names: list[str] | tuple[str, ...]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
