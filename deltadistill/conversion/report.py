"""What became of every layer of a network that `convert` was given, and why."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from deltadistill.blocks.kinds import known_reason

_KINDS_NAMED = 8  # that a message about a network lists


@dataclass(frozen=True)
class Conversion:
    """What became of one layer that has parameters.

    `reason` says why where it was left alone; `block` names the converted block that holds it; `start` says
    of a student of initialisation "data" what it begins from, and how many groups keep the SVD.
    """

    name: str
    kind: str
    converted: bool
    reason: str
    block: str = ""
    start: str = ""


class _Reported(Protocol):
    conversion: tuple[Conversion, ...]


def conversion_report(network: nn.Module) -> tuple[Conversion, ...]:
    """Tell for every layer with parameters whether it was converted, and why not.

    Raises ValueError for a network that `convert` did not make.
    """
    if not hasattr(network, "conversion"):
        raise ValueError("the network was not made by convert; it has no conversion report")
    return cast(_Reported, network).conversion


def keep_report(network: nn.Module, report: tuple[Conversion, ...]) -> None:
    """Let `conversion_report` of the network return `report`."""
    cast(_Reported, network).conversion = report


def report_of(
    network: nn.Module, chosen: Mapping[str, nn.Module], reasons: Mapping[str, str]
) -> Iterator[Conversion]:
    """Account for every layer that holds weights.

    chosen: modules to convert by name. reasons: why other modules were left alone, by name.
    """
    block_of = {id(inner): name for name, block in chosen.items() for inner in block.modules()}
    for name, module in _layers(network):
        block = block_of.get(id(module), "")
        reason = "" if id(module) in block_of else _reason(name, module, reasons)
        yield Conversion(name, type(module).__name__, not reason, reason, block)


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers with weights of their own: parameters, parametrised, or packed by quantisation."""
    inner = {id(m.parametrizations) for m in network.modules() if is_parametrized(m)}
    behind = {id(m) for lists in network.modules() if id(lists) in inner for m in lists.modules()}
    for name, module in network.named_modules():
        holds = list(module.parameters(recurse=False)) or is_parametrized(module) or _is_packed(module)
        if holds and id(module) not in behind:
            yield name, module


def _is_packed(module: nn.Module) -> bool:
    return hasattr(module, "_packed_params") and type(module).__name__ != "LinearPackedParams"


def _reason(name: str, module: nn.Module, reasons: Mapping[str, str]) -> str:
    """Why the layer `name` is left alone: for itself, or for the selected module that holds it."""
    if name in reasons:
        return reasons[name]
    holders = [holder for holder in reasons if not holder or name.startswith(f"{holder}.")]
    if not holders:
        kind = known_reason(module)
        return f"not selected; {kind}" if kind else "not selected"
    holder = max(holders, key=len)
    return f"in {holder or 'the network'}: {reasons[holder]}"


def nothing_converted(
    network: nn.Module, names: Sequence[str], report: Sequence[Conversion], reasons: Mapping[str, str]
) -> ValueError:
    """Make the error that says of every kind of layer how many there are and why they stay as they are."""
    listed = {row.name for row in report}
    others = [
        Conversion(name, type(network.get_submodule(name)).__name__, False, why)
        for name, why in reasons.items()
        if name not in listed
    ]
    kinds = Counter((row.kind, row.reason) for row in (*others, *report))
    shown = [f"{count} {kind} ({reason})" for (kind, reason), count in kinds.most_common(_KINDS_NAMED)]
    more = [f"{len(kinds) - _KINDS_NAMED} more kinds or reasons"] if len(kinds) > _KINDS_NAMED else []
    found = "; ".join([*shown, *more]) or "no layer with weights"
    advice = "" if names else "; choose by name with dd.matching(lambda name, module: …)"
    return ValueError(
        f"nothing was converted: {len(names)} module(s) selected by `where`. The network has: {found}{advice}"
    )
