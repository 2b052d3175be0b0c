"""Runs the first layers of a network patch by patch with real values, where an account says."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.utils._pytree import tree_map_only

from deltadistill.account.dataflow import _Watch
from deltadistill.account.operators import operator_macs


class Recorded(_Watch):
    """The graph of a pass, and the call behind each step."""

    def __init__(self, frame):
        super().__init__(frame)
        self.calls = []

    def _note(self, func, args, kwargs, read, made):
        before = len(self.flow.steps)
        super()._note(func, args, kwargs, read, made)
        if len(self.flow.steps) > before:
            self.calls.append((func, args, kwargs))


@torch.no_grad()
def recorded(network, frame):
    """The pass of a network on a frame, and its output."""
    watch = Recorded(frame)
    with watch:
        output = network(frame)
    watch.end(output)
    return watch, output


@dataclass
class Done:
    """The map behind the early layers as the patches made it, and the multiply-accumulates of all of them."""

    output: torch.Tensor
    macs: int


@torch.no_grad()
def in_patches(watch, early, frame, sides):
    """Compute the map behind the early layers in sides × sides patches."""
    rows, columns = early.needed(sides)
    done = Done(torch.full(early.flow.shapes[early.output], torch.nan), 0)
    for down in rows:
        for across in columns:
            patch = _patch(watch, early, frame, (down, across), done)
            target = done.output[..., slice(*down[early.output]), slice(*across[early.output])]
            target.copy_(patch)
    return done


def _patch(watch, early, frame, needed, done):
    (source,) = early.flow.inputs
    values = {source: frame[..., *(slice(*part[source]) for part in needed)]}
    for step, (func, args, kwargs) in zip(early.steps, watch.calls, strict=False):
        made = next((buffer for buffer in (*step.writes, *step.changed) if buffer in needed[0]), None)
        if made is None:
            continue
        where = [part[made] for part in needed]
        local = tree_map_only(
            torch.Tensor,
            lambda tensor, step=step, where=where: _part(tensor, watch, early, values, needed, step, where),
            (args, kwargs),
        )
        args, kwargs = (_unpadded(func, local[0]), local[1])
        result = func(*args, **kwargs)
        result = result[0] if isinstance(result, tuple) else result
        if step.writes:
            values[made] = result
            done.macs += operator_macs(str(func.overloadpacket), args, result, "convolution") or 0
    return values[early.output]


def _part(tensor, watch, early, values, needed, step, where):
    """What a step reads of a map for the places `where`, beyond the map's border too; or a weight."""
    buffer = watch._buffer(tensor)
    if buffer is None:
        return tensor
    found, pads = values[buffer], []
    for axis, (part, made) in enumerate(zip(needed, where, strict=True)):
        first, end = step.window[axis].reaches(made)
        size = early.flow.shapes[buffer][2 + axis]
        begin = part[buffer][0]
        found = found.narrow(2 + axis, max(first, 0) - begin, min(end, size) - max(first, 0))
        pads = [max(-first, 0), max(end - size, 0), *pads]
    if not any(pads):
        return found  # a view: a step that works in place changes the map itself
    return F.pad(found, pads, value=float("-inf") if "max_pool" in step.operator else 0.0)


def _unpadded(func, args):
    """Arguments without the padding, which is there already."""
    name = str(func.overloadpacket)
    if name == "aten.convolution":
        return (*args[:4], [0, 0], *args[5:])
    if "_pool2d" in name and len(args) > 3:
        return (*args[:3], [0, 0], *args[4:])
    if name == "aten.constant_pad_nd":
        return (args[0], [0, 0, 0, 0], *args[2:])
    return args
