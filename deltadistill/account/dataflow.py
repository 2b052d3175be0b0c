"""The graph of one forward pass: which operator reads and makes which pieces of memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves

from deltadistill.account.operators import PER_ELEMENT, operator_macs
from deltadistill.account.windows import Window, lies_as, window_of
from deltadistill.forward.watching import OperatorWatch

_POINTWISE = {  # what torch has no tag for
    *(name for name in PER_ELEMENT if "batch_norm" in name),
    *("aten.hardswish", "aten._prelu_kernel"),
}
_ASKING_SHAPES = {  # they look at a tensor's shape and type, not at what it holds
    *("aten.empty_like", "aten.zeros_like", "aten.ones_like", "aten.full_like"),
    *("aten.new_empty", "aten.new_zeros", "aten.new_ones", "aten.new_full", "aten.new_empty_strided"),
}

Kind = Literal["layer", "pointwise", "concatenation"]
"""What an engine can make of an operator: "pointwise" can write over an input of its size (an activation, a
batch norm in evaluation, a sum); a "concatenation" along an axis before which there is none but of length 1
needs no work if its parts are written side by side; a "layer" needs its inputs and its output at once."""


@dataclass(frozen=True)
class Step:
    """One operator call that makes or changes memory.

    reads: buffers it reads; read_bytes: as much of them as it reads. writes: buffers that it makes, none
    where it works in place; changed: those that it then changes. window: where its inputs are read for a
    place of its output; None where that is no part of a map. macs: multiply-accumulates.
    """

    module: str
    operator: str
    kind: Kind
    reads: tuple[int, ...]
    read_bytes: int
    writes: tuple[int, ...]
    changed: tuple[int, ...] = ()
    window: Window | None = None
    macs: int = 0


@dataclass
class Dataflow:
    """Steps in the order in which they ran, over buffers that are numbered in the order of their making.

    sizes: bytes of each buffer. shapes: as it was made; () where that was a part of something larger.
    inputs: the caller's, which no step may write over. outputs: what is returned. constants: bytes of the
    weights that are read, and of what weights alone make, by address; they are no buffers. storages: of all
    that was seen; no two have one address while these are there.
    """

    steps: list[Step] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    constants: dict[int, int] = field(default_factory=dict)
    storages: list[StorageWeakRef] = field(default_factory=list, repr=False, compare=False)

    def last_reads(self, kept: Collection[int] = ()) -> list[int]:
        """Of each buffer the number of the last step that needs it; len(steps) for outputs and `kept`.

        What is made and never read is needed by no step: −1.
        """
        last = [-1] * len(self.sizes)
        for number, step in enumerate(self.steps):
            for buffer in step.reads:
                last[buffer] = number
        for buffer in (*self.outputs, *kept):
            last[buffer] = len(self.steps)
        return last


@contextmanager
def watched(network: nn.Module, inputs: Any) -> Iterator[Dataflow]:
    """Watch the forward pass of `network` on `inputs` that runs inside, and what it returns."""
    watch = _Watch(inputs)
    with _naming(network, watch.running), _ending(network, watch.end), watch:
        yield watch.flow


class _Watch(OperatorWatch):
    """Sees every operator and the memory that it reads and makes; `running` names the running modules."""

    def __init__(self, inputs: Any) -> None:
        super().__init__()
        self.flow = Dataflow()
        self.running = [""]
        self._buffers: dict[int, int] = {}
        self.flow.inputs = tuple(dict.fromkeys(self._made(tensor) for tensor in _tensors(inputs)))

    def end(self, outputs: Any) -> None:
        """Take note of what the pass, or one of several, returned."""
        found = (self._buffer(tensor) for tensor in _tensors(outputs))
        outputs = (buffer for buffer in found if buffer is not None)
        self.flow.outputs = tuple(dict.fromkeys((*self.flow.outputs, *outputs)))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        read = {} if str(func.overloadpacket) in _ASKING_SHAPES else self._read((args, kwargs))
        if read:  # what weights alone make is a constant, as weights are
            known = {_address(tensor) for tensor in _tensors((args, kwargs))}
            made = [tensor for tensor in _tensors(result) if _address(tensor) not in known]
            self._note(func, args, kwargs or {}, read, made)
        return result

    def _note(
        self,
        func: Any,
        args: tuple[Any, ...],
        named: dict[str, Any],
        read: dict[int, int],
        made: list[Tensor],
    ) -> None:
        changed: tuple[int, ...] = ()
        if not made:
            if not (written := list(_written(func, args, named))):
                return  # a view
            found = [self._buffer(tensor) for tensor in written]
            changed = tuple(buffer for buffer in found if buffer is not None)
            made = [each for each in written if self._buffer(each) is None]  # constants until now
        operator = str(func.overloadpacket)
        writes = tuple(dict.fromkeys(self._made(tensor) for tensor in made))
        kind = _kind(func, operator, args, made)
        step = Step(
            self.running[-1],
            operator,
            kind,
            tuple(read),
            sum(read.values()),
            writes,
            changed,
            self._window(operator, kind, args, (args, named, made[:1])),
            0 if changed else operator_macs(operator, args, made[0], "convolution") or 0,
        )
        self.flow.steps.append(step)

    def _window(self, operator: str, kind: Kind, args: tuple[Any, ...], maps: Any) -> Window | None:
        """The window of a call that sees all rows and columns of its maps, and makes them so."""
        found = ((tensor, self._buffer(tensor)) for tensor in _tensors(maps))
        whole = all(lies_as(each, self.flow.shapes[buffer]) for each, buffer in found if buffer is not None)
        return window_of(operator, kind, args) if whole else None

    def _read(self, arguments: Any) -> dict[int, int]:
        """Bytes that are read, by buffer."""
        read: dict[int, int] = {}
        for tensor in _tensors(arguments):
            if (buffer := self._buffer(tensor)) is None:
                self._keep_constant(tensor)
            else:
                size = min(tensor.numel() * tensor.element_size(), self.flow.sizes[buffer])
                read[buffer] = max(size, read.get(buffer, 0))
        return read

    def _keep_constant(self, tensor: Tensor) -> None:
        address = _address(tensor)
        if address not in self.flow.constants:
            self.flow.storages.append(StorageWeakRef(tensor.untyped_storage()))
            self.flow.constants[address] = tensor.untyped_storage().nbytes()

    def _buffer(self, tensor: Tensor) -> int | None:
        return self._buffers.get(_address(tensor))

    def _made(self, tensor: Tensor) -> int:
        address = _address(tensor)
        if address not in self._buffers:
            self._buffers[address] = len(self.flow.sizes)
            self.flow.storages.append(StorageWeakRef(tensor.untyped_storage()))
            size = tensor.untyped_storage().nbytes()
            self.flow.sizes.append(size)
            is_whole = tensor.numel() * tensor.element_size() == size
            self.flow.shapes.append(tuple(tensor.shape) if is_whole else ())
        return self._buffers[address]


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _written(func: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Iterator[Tensor]:
    """The arguments that an operator writes to, by its schema."""
    for number, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            yield from _tensors(args[number] if number < len(args) else named.get(argument.name))


def _kind(func: Any, operator: str, args: tuple[Any, ...], made: list[Tensor]) -> Kind:
    if func._schema.is_mutable or operator in _POINTWISE:
        return "pointwise"
    if torch.Tag.pointwise in func.tags and operator != "aten.clone":  # which may put elements elsewhere
        return "pointwise"
    if operator == "aten.cat":
        axis = args[1] if len(args) > 1 else 0
        return "concatenation" if math.prod(made[0].shape[: axis % made[0].dim()]) == 1 else "layer"
    return "layer"


@contextmanager
def _naming(network: nn.Module, running: list[str]) -> Iterator[None]:
    """Keep the names of the modules that run, the innermost last."""
    with ExitStack() as hooks:
        for name, module in network.named_modules():
            begin = partial(_begin, running, name)
            hooks.callback(module.register_forward_pre_hook(begin).remove)
            hooks.callback(module.register_forward_hook(partial(_end, running)).remove)
        yield


@contextmanager
def _ending(network: nn.Module, end: Callable[[Any], None]) -> Iterator[None]:
    """Call `end` with what the network returns."""
    with network.register_forward_hook(lambda _module, _inputs, outputs: end(outputs)):
        yield


def _begin(running: list[str], name: str, *_: Any) -> None:
    running.append(name)


def _end(running: list[str], *_: Any) -> None:
    running.pop()
