"""A student that pools earlier (ReDistill), as a network file describes it: strides and RED blocks."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from deltadistill.conversion.red_blocks import Attachment, Place, put_red_blocks, red_place
from deltadistill.models.pool_earlier import Stride, set_strides
from deltadistill.models.red_block import REDBlock

_PARTS = {"strides", "red_blocks"}


def early_architecture(
    student: nn.Module, strides: Mapping[str, Stride], attachments: Sequence[Attachment] = ()
) -> dict[str, Any]:
    """What makes a student of its teacher's network, as plain values for JSON; `save_network` keeps it.

    strides: by layer, of `earlier_strides`. attachments: where the student has RED blocks.
    """
    blocks: dict[str, dict[str, int]] = {}
    for each in attachments:
        block = student.get_submodule(red_place(each)[0])
        assert isinstance(block, REDBlock)
        blocks.setdefault(each.module, {})[each.side] = block.channels
    return {"strides": dict(strides), "red_blocks": blocks}


def is_early_student(architecture: Mapping[str, Any]) -> bool:
    """Whether a description is of such a student; else it is of a delta network."""
    return "strides" in architecture


def apply_early_architecture(network: nn.Module, architecture: Mapping[str, Any]) -> nn.Module:
    """Make a network of the teacher's kind the student that is described, in place; RED blocks start fresh.

    Raises ValueError for a description that is none, and for layers that the network does not have.
    """
    if set(architecture) != _PARTS or not all(isinstance(architecture[part], Mapping) for part in _PARTS):
        raise ValueError(
            f"not the description of a student that pools earlier: it has {sorted(architecture)}; expected "
            "strides and red_blocks, each by layer"
        )
    set_strides(network, architecture["strides"])
    return put_red_blocks(network, _places(architecture["red_blocks"]))


def _places(blocks: Mapping[str, Any]) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for name, sides in blocks.items():
        for side, channels in sides.items() if isinstance(sides, Mapping) else [("", sides)]:
            if side not in ("input", "output") or type(channels) is not int or channels < 1:
                raise ValueError(
                    f"RED blocks of {name} are {sides!r:.50}; expected channels by side, input or output"
                )
            found[name, side] = channels
    return found
