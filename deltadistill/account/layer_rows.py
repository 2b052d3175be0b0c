"""Rows of macs.csv: every counted layer, its cost, and whether it was converted."""

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn

from deltadistill import models
from deltadistill.account.macs_table import LayerMacs, MacTable
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.conversion.report import conversion_report


def layer_rows(network: nn.Module, table: MacTable) -> list[dict[str, Any]]:
    """One row a layer of a delta network with its MAC account."""
    converted = {row.name: row for row in conversion_report(network)}
    blocks = delta_blocks(network)
    return [
        {
            "layer": row.name,
            "part": models.part_of(network, row.name),
            "operator": row.operator,
            **_shapes(row),
            "groups": row.groups,
            "teacher_macs": row.teacher_macs,
            "compressed_macs": row.compressed_macs,
            "rank": _rank(blocks.get(row.name)),
            "convertible": row.name in converted and converted[row.name].converted,
            "reason": converted[row.name].reason
            if row.name in converted
            else "no layer with parameters of its own",
        }
        for row in table.rows
    ]


def _rank(block: DeltaBlock | None) -> int | None:
    """Intermediate channels of a linear student."""
    student = block.compressed if block else None
    return cast(Tensor, student[0].weight).shape[0] if isinstance(student, nn.Sequential) else None


def _shapes(row: LayerMacs) -> dict[str, str]:
    names = ("input_shape", "output_shape", "kernel", "stride")
    return {name: _times(getattr(row, name)) for name in names}


def _times(sizes: Sequence[int] | None) -> str:
    return "" if sizes is None else "x".join(map(str, sizes))
