"""Times of blocks by themselves: each a network of its own, for engines that do not tell the times of nodes.

What an engine gains between layers, by keeping an order of channels or by computing two in one go, is not in
these times.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.function_times import timed
from deltadistill.exporting.functions import DeltaFunctions
from deltadistill.exporting.hooks import hooked
from deltadistill.exporting.layer_times import FunctionTimes
from deltadistill.exporting.running import load
from deltadistill.forward.modes import copy_with_modes
from deltadistill.runtime.engine import Session
from deltadistill.runtime.graphs import Graphs

Open = Callable[[Graphs], Session]


def block_times(
    functions: DeltaFunctions, opened: Open, *, seconds: float
) -> dict[str | None, FunctionTimes]:
    """Milliseconds of every block with its present choice, over all its calls in a frame.

    opened: makes graphs ready. seconds: for all blocks together; each takes the fewest rounds at least.
    """
    inputs = _inputs(functions)
    calls = sum(len(shapes) for shapes in inputs.values())
    blocks = delta_blocks(functions.frame)
    found: dict[str | None, FunctionTimes] = {}
    for block in blocks.values():
        times = [_time(block, x, opened, seconds=seconds / max(1, calls)) for x in inputs.get(block.name, [])]
        found[block.name] = FunctionTimes(
            **{what: sum(getattr(each, what) for each in times) for what in ("frame", "key", "delta")}
        )
    return found


@torch.no_grad()
def _inputs(functions: DeltaFunctions) -> dict[str, list[Tensor]]:
    """What each block gets in a frame like the example, call by call."""
    found: dict[str, list[Tensor]] = {}

    def note(block: Any, given: Any, named: Any) -> None:
        (x,) = [leaf for leaf in tree_leaves((given, named)) if isinstance(leaf, Tensor)]
        found.setdefault(block.name, []).append(x.clone())

    with hooked(delta_blocks(functions.frame).values(), enter=note):
        functions.frame(functions.example)
    return found


def _time(block: DeltaBlock, x: Tensor, opened: Open, *, seconds: float) -> FunctionTimes:
    alone = copy_with_modes(block)
    alone.name = "0"  # which it has in the network that it is alone in
    with load(nn.Sequential(alone).eval(), x) as loaded:
        times, _ = timed({"block": (opened(loaded.graphs), loaded.graphs)}, seconds=seconds)
    return times["block"]
