"""One forward pass, on meta tensors or on values, operator by operator under the names of its modules."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.account.operators import INPUT_ARGUMENT, WITHOUT_WORK, Convention, operator_macs
from deltadistill.forward.modes import without_histories
from deltadistill.forward.quick_shapes import QuickShapes
from deltadistill.forward.watching import OperatorWatch

_FEW = 64  # elements of whole numbers or flags: bookkeeping up to here, listed as work beyond


@dataclass(frozen=True)
class Call:
    """One operator call; `macs` is None where the convention does not count the operator."""

    module: str
    operator: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    macs: int | None
    kernel: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    groups: int | None = None

    @property
    def elements(self) -> int:
        """Number of elements of the output."""
        return torch.Size(self.output_shape).numel()


@dataclass
class Recording:
    """The operator calls of one forward pass, and the arguments of each call of a watched module."""

    calls: list[Call] = field(default_factory=list)
    arguments: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)


def meta_copy(model: nn.Module, *, instead: Mapping[int, Any] | None = None) -> nn.Module:
    """Copy a module in evaluation mode with meta tensors for its weights; no weight is copied or changed.

    `instead` maps ids of objects that the module refers to to what the copy shall refer to.
    """
    memo = dict(instead or {})
    for module in model.modules():
        for tensor in (*module._parameters.values(), *module._buffers.values(), *vars(module).values()):
            if isinstance(tensor, Tensor):
                memo[id(tensor)] = _meta_twin(tensor)
    return copy.deepcopy(model, memo).eval()


def value_copy(model: nn.Module, *, instead: Mapping[int, Any] | None = None) -> nn.Module:
    """Copy a module, weights and all, to the CPU in evaluation mode; `instead` as for `meta_copy`."""
    return copy.deepcopy(model, {**without_histories(model), **(instead or {})}).eval().cpu()


def _meta_twin(tensor: Tensor) -> Tensor:
    twin = torch.empty_like(tensor, device="meta", requires_grad=False)
    return nn.Parameter(twin, requires_grad=False) if isinstance(tensor, nn.Parameter) else twin


def record(
    run: Callable[..., Any],
    arguments: Sequence[Any],
    convention: Convention,
    *,
    device: str = "meta",
    named: nn.Module | None = None,
    watch: Callable[[nn.Module], bool] = lambda module: False,
) -> Recording:
    """Call `run` on tensors of `device` and record each operator under the qualified name of its module.

    Names come from the modules of `named` (by default `run`, if it is a module). What happens inside a
    module for which `watch` is true carries that module's name, and its arguments are kept.
    """
    recorder = _Recorder(convention)
    named = run if named is None and isinstance(run, nn.Module) else named
    with ExitStack() as stack:
        if named is not None:
            stack.enter_context(_naming(named, recorder, watch))
        stack.enter_context(_without_fused_transformer())
        stack.enter_context(torch.inference_mode(False))  # it would hide the parts of composite operators
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.device(device))
        stack.enter_context(QuickShapes())
        stack.enter_context(recorder)
        run(*arguments)
    return recorder.recording


class _Recorder(OperatorWatch):
    """Sees every operator on its way to the device; `running` is the stack of names of running modules."""

    def __init__(self, convention: Convention) -> None:
        super().__init__()
        self.convention = convention
        self.recording = Recording()
        self.running = [""]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        operator = str(func.overloadpacket)
        output = next(_tensors(result), None)
        works = operator not in WITHOUT_WORK and not func.is_view
        if works and output is not None and _of_note(output, args):
            self.recording.calls.append(self._call(operator, args, output))
        return result

    def _call(self, operator: str, args: Sequence[Any], output: Tensor) -> Call:
        tensors = [arg for arg in args[INPUT_ARGUMENT.get(operator, 0) :] if isinstance(arg, Tensor)]
        extra: dict[str, Any] = {}
        if operator == "aten.convolution":
            extra = {"kernel": tuple(args[1].shape[2:]), "stride": tuple(args[3]), "groups": args[8]}
        return Call(
            module=self.running[-1],
            operator=operator,
            input_shape=tuple(tensors[0].shape) if tensors else (),
            output_shape=tuple(output.shape),
            macs=operator_macs(operator, args, output, self.convention),
            **extra,
        )


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def _of_note(output: Tensor, args: Sequence[Any]) -> bool:
    """Whether a call does more than make a few indices or flags."""
    if output.is_floating_point() or output.is_complex():
        return True
    return max(tensor.numel() for tensor in (output, *_tensors(args))) > _FEW


@contextmanager
def _naming(model: nn.Module, recorder: _Recorder, watch: Callable[[nn.Module], bool]) -> Iterator[None]:
    """Push and pop the name of each module as it runs; a watched module hides the names inside it."""
    watched = [module for module in model.modules() if watch(module)]
    hidden = {id(inner) for module in watched for inner in module.modules() if inner is not module}
    handles = []

    def leave(*_: Any) -> None:
        recorder.running.pop()  # never the hook's result, which would stand in for the module's

    for name, module in model.named_modules():
        if id(module) in hidden:
            continue

        def enter(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any], name: str = name) -> None:
            recorder.running.append(name)
            if watch(module):
                recorder.recording.arguments.append((name, (*args, *named.values())))

        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _without_fused_transformer() -> Iterator[None]:
    """Let transformer layers run as the products they are made of; the fused operator hides them."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
