"""Any network to a delta network: choose blocks, put students beside them, and drop the unused ones again."""

from dataclasses import replace
from operator import is_not
from typing import Any

from torch import Tensor, nn

from deltadistill.blocks.delta import DeltaBlock, FeatureBlock, Student
from deltadistill.blocks.delta_network import delta_blocks, seat_of
from deltadistill.blocks.imitation import passing_for
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.nonlinear import NonlinearBlock
from deltadistill.blocks.seat import Seat
from deltadistill.conversion import data_aware
from deltadistill.conversion.comparison import require_same, run_before
from deltadistill.conversion.data_aware import Run
from deltadistill.conversion.example import Example
from deltadistill.conversion.frame_axis import probe_frame_axes
from deltadistill.conversion.report import nothing_converted, report_of
from deltadistill.conversion.requirements import copied, known_names
from deltadistill.conversion.selectors import (
    Selector,
    inner_convolutions,
)
from deltadistill.forward.modes import copy_with_modes

_LINEAR_BLOCKS = {"delta": DeltaBlock, "feature": FeatureBlock}


def convert(
    network: nn.Module,
    students: Student,
    where: Selector = inner_convolutions,
    *,
    predicts: str = "delta",
    clips: Tensor | None = None,
    example: Example | None = None,
    run: Run | None = None,
    progress: bool = True,
) -> nn.Module:
    """Return a copy of `network` whose selected blocks have students; `network` itself is untouched.

    predicts: "delta" for delta distillation (Eq. 2), "feature" for feature distillation (Eq. 1; linear
        students only).
    clips: (N, T, C, H, W), as the network takes frames; for students whose initialisation is "data".
    example: frames (N, C, H, W), one or more, or the arguments that the network takes. With it the plain
        network runs on two frames, and modules that do not see frames along their first axis (heads on
        regions, modules that are never called) are left alone; without it, a clip or a stream that meets
        one raises ValueError, where its rows show it.
    run: how the network is run on the frames (N, C, H, W) of the clips, where it takes more than these;
        None: called.
    progress: whether the start from clips shows a bar.

    Outside a clip or a stream the copy is the per-frame network it was made from; with `example` that is
    looked at, and a network that passes over its converted layers is refused. A block passes for what it
    replaces: `isinstance(block, nn.Conv2d)` is true where its teacher is one. A module registered
    under several names becomes one block, and the network itself may be the block; of selected modules
    inside one another the outermost is converted. Selected modules that cannot be converted, or whose
    student would cost more, are left alone; `conversion_report` says why.
    Raises ValueError for names that are not in the network, for networks that cannot be copied or that have
    layers without weights as yet, and when nothing could be converted.
    """
    if not callable(where):
        raise ValueError(f"where is a {type(where).__name__}; pass a function such as dd.inner_layers")
    block_type = _block_type(students, predicts)
    if any(isinstance(module, DeltaBlock) for module in network.modules()):
        raise ValueError("the network is converted already; convert the network it was made from")
    from_data = getattr(students, "initialisation", None) == "data"
    if from_data != (clips is not None):
        raise ValueError("clips go with students of initialisation 'data', and those with clips")
    original, network = network, copied(network)
    names = known_names(where(network), network)
    selected = {id(network.get_submodule(name)) for name in names}
    chosen, reasons, rows_per_frame = _outermost(network, selected, students, example)
    report = tuple(report_of(network, chosen, reasons))
    if not chosen:
        raise nothing_converted(network, names, report, reasons)
    before = None if example is None else run_before(network, chosen, example)
    seat = Seat()
    blocks = {
        id(module): passing_for(block_type, module)(module, students, seat) for module in chosen.values()
    }
    for module in chosen.values():
        blocks[id(module)].rows_per_frame = rows_per_frame.get(id(module), 1)
        blocks[id(module)].probed = id(module) in rows_per_frame
    network = _replace(network, blocks)
    for name, block in delta_blocks(network).items():
        block.name = name
    network.conversion = report
    if before is not None:
        require_same(network, seat, before, original, example)
    if from_data:
        starts = data_aware.initialise_from_data(
            network, list(blocks.values()), clips, run=run, progress=progress
        )
        begins = {block.name: start for block, start in starts.items()}
        network.conversion = tuple(
            replace(row, start=begins[row.block]) if row.converted else row for row in report
        )
    return network


def _block_type(students: Student, predicts: str) -> type[DeltaBlock]:
    if predicts not in _LINEAR_BLOCKS:
        raise ValueError(f"predicts {predicts!r} is unknown; allowed: {sorted(_LINEAR_BLOCKS)}")
    if isinstance(students, LinearStudent):
        return _LINEAR_BLOCKS[predicts]
    if predicts == "feature":
        raise ValueError("feature distillation is made for linear students; choose a LinearStudent")
    return NonlinearBlock


def deploy(network: nn.Module) -> nn.Module:
    """Return a copy in which every block keeps its chosen candidate only, and no gate.

    Raises ValueError for a network without converted blocks.
    """
    seat_of(network)
    copy = copy_with_modes(network)
    for block in delta_blocks(copy).values():
        block.drop_unused()
    if hasattr(network, "conversion"):
        copy.conversion = network.conversion  # copies of networks traced by torch.fx lose it
    return copy


def _outermost(
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
    modules = [module for module in network.modules() if id(module) in selected]
    reasons = {id(module): students.reason_against(module) or "" for module in modules}
    rows = {}
    if example is not None:
        possible = [module for module in modules if not reasons[id(module)]]
        for module, axis in probe_frame_axes(network, possible, example).items():
            reasons[id(module)], rows[id(module)] = axis.reason, axis.rows_per_frame
    return {key: reason for key, reason in reasons.items() if reason}, rows


def _replace(network: nn.Module, blocks: dict[int, DeltaBlock]) -> nn.Module:
    """Put the blocks where their modules are, also in plain lists and other attributes of a module."""
    if id(network) in blocks:
        return blocks[id(network)]
    for parent in list(network.modules()):
        _replaced(vars(parent), blocks)  # children included, and twice where registered twice
    return network


def _replaced(value: Any, blocks: dict[int, DeltaBlock]) -> Any:
    """Return `value` with blocks for modules; lists and dictionaries are changed in place."""
    if id(value) in blocks:
        return blocks[id(value)]
    if type(value) is tuple:
        items = tuple(_replaced(item, blocks) for item in value)
        return items if any(map(is_not, items, value)) else value
    if isinstance(value, list | dict):
        for key, item in list(enumerate(value) if isinstance(value, list) else value.items()):
            if (new := _replaced(item, blocks)) is not item:
                value[key] = new
    return value
