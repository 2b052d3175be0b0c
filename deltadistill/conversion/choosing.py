"""Which of the selected modules become blocks, and why the others do not."""

from torch import nn

from deltadistill.blocks.design import Student, of_block
from deltadistill.conversion.example import Example
from deltadistill.conversion.frame_axis import probe_frame_axes


def outermost(
    network: nn.Module, selected: set[int], students: Student, example: Example | None
) -> tuple[dict[str, nn.Module], dict[str, str], dict[int, int]]:
    """Return the modules to convert by name, why the others are left alone, and rows per frame by id.

    Modules come before what they hold, so an inner module sees whether it lies in a chosen one.
    """
    against, rows_per_frame = _judge(network, selected, students, example)
    chosen: dict[str, nn.Module] = {}
    reasons: dict[str, str] = {}
    inside: set[int] = set()
    for name, module in network.named_modules():
        if id(module) not in selected:
            continue
        reason = "inside a converted block" if id(module) in inside else against.get(id(module))
        if reason:
            reasons[name] = reason
            continue
        chosen[name] = module
        inside |= {id(inner) for inner in module.modules()}
    return chosen, reasons, rows_per_frame


def _judge(
    network: nn.Module, selected: set[int], students: Student, example: Example | None
) -> tuple[dict[int, str], dict[int, int]]:
    """Say why selected modules are left alone, and how many rows a frame is in the others, by id."""
    named = {name: module for name, module in network.named_modules() if id(module) in selected}
    reasons = {
        id(module): of_block(students, name).reason_against(module) or "" for name, module in named.items()
    }
    modules = list(named.values())
    rows = {}
    if example is not None:
        possible = [module for module in modules if not reasons[id(module)]]
        for module, axis in probe_frame_axes(network, possible, example).items():
            reasons[id(module)], rows[id(module)] = axis.reason, axis.rows_per_frame
    return {key: reason for key, reason in reasons.items() if reason}, rows
