"""Which maps of an exported delta network are moved along with the picture before a delta frame."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.moved_rule import MovedDeltaRule, movable
from deltadistill.exporting.functions import DeltaFunctions
from deltadistill.forward.modes import copy_with_modes
from deltadistill.motion.dis import reduced
from deltadistill.runtime.map_motion import MapMotion
from deltadistill.runtime.picture_form import PictureForm

_log = logging.getLogger(__name__)


def with_moved_rules(network: nn.Module, motion: MapMotion | None) -> nn.Module:
    """A copy whose compressed linear students of changes have what they keep moved.

    Blocks that were made to move it do so in any case. ValueError where there is nothing to move. Without
    motion the network itself, and a warning where blocks were made to be moved.
    """
    own = [name for name, block in delta_blocks(network).items() if type(block.rule) is MovedDeltaRule]
    if motion is None:
        if own:
            _log.warning("maps of %s stay where they are in this runner: no motion= is given", own[:3])
        return network
    names = movable(network)
    if not own and not names:
        raise ValueError(
            "motion moves what linear students keep, and the network has none that is compressed and "
            "predicts changes; leave motion out"
        )
    copy = copy_with_modes(network)
    for name in names:
        block = cast(DeltaBlock, copy.get_submodule(name))
        block.rule = MovedDeltaRule(float("inf") if motion.coarsest is None else motion.coarsest)
    return copy


def moved_maps(
    functions: DeltaFunctions, motion: MapMotion | None, pictures: PictureForm | None
) -> list[str]:
    """Names of the maps that move; ValueError for frames that are no pictures, and where no map is left."""
    if motion is None:
        return []
    if pictures is None:
        raise ValueError("motion is found in pictures: give pictures=, how they become the network's frames")
    flow = torch.empty(1, 2, *reduced(*pictures.size, motion.flow.side))
    blocks = {block.name: block for block in delta_blocks(functions.frame).values()}
    names = [
        name
        for name, each in functions.maps.items()
        if _moves(blocks[_block(name)].rule, each, flow, frames=len(functions.example))
    ]
    if not names:
        raise ValueError(
            f"no map is fine enough to be moved where coarsest is {motion.coarsest}; give a larger one, or "
            "leave motion out"
        )
    return names


def movable_maps(
    functions: DeltaFunctions, joined: Mapping[str, Sequence[str]], rule: MovedDeltaRule, flow: torch.Tensor
) -> frozenset[str]:
    """Names of the maps that `moved_stream` moves, in graphs that were made for maps at rest.

    joined: by map that is left, those that it stands for. flow: of the size that flows have. ValueError for a
    map of theirs that has others beside it, and for one that stands for maps that stay as well.
    """
    blocks = delta_blocks(functions.frame)
    names = {blocks[path].name for path in movable(functions.frame)}
    own = {name: each for name, each in functions.maps.items() if _block(name) in names}
    if odd := [name for name in own if not name.endswith(".c_0")]:
        raise ValueError(f"{odd[:3]} are not the one map that a linear student needs, and cannot be moved")
    moving = {name for name, each in own.items() if _moves(rule, each, flow, frames=len(functions.example))}
    mixed = [name for name, all_of in joined.items() if 0 < len(moving & set(all_of)) < len(all_of)]
    if mixed:
        raise ValueError(f"{mixed[:3]} stand for maps that move and for some that stay")
    return frozenset(moving & set(joined))


def _block(name: str) -> str:
    """The block that keeps a map: its name without the call of it and the name of the map itself."""
    return name.rpartition(".")[0].partition("#")[0]


def _moves(rule: Any, kept: torch.Tensor, flow: torch.Tensor, *, frames: int) -> bool:
    return (
        type(rule) is MovedDeltaRule
        and kept.dim() == 4
        and len(kept) == frames
        and rule.moves(kept.shape[-2], flow)
    )
