"""Any network to a delta network: choose blocks, put students beside them, and drop the unused ones again."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks, seat_of
from deltadistill.blocks.design import Student
from deltadistill.blocks.imitation import passing_for
from deltadistill.blocks.prediction import PREDICTIONS
from deltadistill.blocks.seat import Seat
from deltadistill.conversion import data_aware
from deltadistill.conversion.choosing import outermost
from deltadistill.conversion.comparison import require_same, run_before
from deltadistill.conversion.data_aware import Run
from deltadistill.conversion.example import Example
from deltadistill.conversion.replacing import replace_modules
from deltadistill.conversion.report import (
    Conversion,
    conversion_report,
    keep_report,
    nothing_converted,
    report_of,
)
from deltadistill.conversion.requirements import copied, known_names
from deltadistill.conversion.selectors import Selector, inner_convolutions
from deltadistill.forward.modes import copy_with_modes


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
    _require_convertible(network, students, where, predicts, clips)
    copy = copied(network)
    names = known_names(where(copy), copy)
    selected = {id(copy.get_submodule(name)) for name in names}
    chosen, reasons, rows_per_frame = outermost(copy, selected, students, example)
    report = tuple(report_of(copy, chosen, reasons))
    if not chosen:
        raise nothing_converted(copy, names, report, reasons)
    before = None if example is None else run_before(copy, chosen, example)
    seat = Seat()
    blocks = {
        id(module): passing_for(DeltaBlock, module)(module, students, seat, predicts=predicts)
        for module in chosen.values()
    }
    copy = _with_blocks(copy, blocks, rows_per_frame)
    keep_report(copy, report)
    if example is not None and before is not None:
        require_same(copy, seat, before, network, example)
    if clips is not None:
        starts = data_aware.initialise_from_data(
            copy, list(blocks.values()), clips, run=run, progress=progress
        )
        keep_report(copy, _with_starts(report, starts))
    return copy


def _with_blocks(
    network: nn.Module, blocks: dict[int, DeltaBlock], rows_per_frame: Mapping[int, int]
) -> nn.Module:
    """The network with blocks in the place of modules, by their ids, which know their names and rows."""
    for module, block in blocks.items():
        block.rows_per_frame = rows_per_frame.get(module, 1)
        block.probed = module in rows_per_frame
    network = replace_modules(network, blocks)
    for name, block in delta_blocks(network).items():
        block.name = name
    return network


def _with_starts(report: Sequence[Conversion], starts: Mapping[DeltaBlock, str]) -> tuple[Conversion, ...]:
    """The report with how each converted layer's students begin."""
    begins = {block.name: start for block, start in starts.items()}
    return tuple(replace(row, start=begins[row.block]) if row.converted else row for row in report)


def _require_convertible(
    network: nn.Module, students: Student, where: Selector, predicts: str, clips: Tensor | None
) -> None:
    if not callable(where):
        raise ValueError(f"where is a {type(where).__name__}; pass a function such as dd.inner_layers")
    _require_one_argument(where)
    _require_rule(students, predicts)
    if any(isinstance(module, DeltaBlock) for module in network.modules()):
        raise ValueError("the network is converted already; convert the network it was made from")
    from_data = getattr(students, "initialisation", None) == "data"
    if from_data != (clips is not None):
        raise ValueError("clips go with students of initialisation 'data', and those with clips")


def _require_one_argument(where: Selector) -> None:
    try:
        signature = inspect.signature(where)
    except (TypeError, ValueError):  # of what is not written in Python none is known
        return
    try:
        signature.bind(None)
    except TypeError as error:
        raise ValueError(
            f"where{signature} cannot be called with the network alone ({error}); "
            "it takes the network, and returns the names of the modules to convert"
        ) from None


def _require_rule(students: Student, predicts: str) -> None:
    if predicts not in PREDICTIONS:
        raise ValueError(f"predicts {predicts!r} is unknown; allowed: {sorted(PREDICTIONS)}")
    students.rule(predicts)  # says what it does not predict


def deploy(network: nn.Module) -> nn.Module:
    """Return a copy in which every block keeps its chosen candidate only, if it has any, and no gate.

    Raises ValueError for a network without converted blocks.
    """
    seat_of(network)
    copy = copy_with_modes(network)
    for block in delta_blocks(copy).values():
        block.drop_unused()
    if hasattr(network, "conversion"):
        keep_report(copy, conversion_report(network))  # copies of networks traced by torch.fx lose it
    return copy
