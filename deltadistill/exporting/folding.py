"""Batch norm folded into the layer before it: into the teacher's kernel and into every student's last factor.

In evaluation mode batch norm is y = s z + d per channel. For z = W x + b it is absorbed by the kernel; for a
delta frame's z = c_0 + B(A x) by B and by the key frame's c_0, which comes from the absorbed kernels. Engines
fold it behind a plain convolution themselves, but not behind that sum.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from deltadistill.blocks.candidates import CANDIDATES
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.kernel import NoKernelError, plain_layer
from deltadistill.exporting.hooks import hooked

_BESIDE = ("drop", "act")  # what timm's norms with an activation have, and do after normalising


def _norms() -> tuple[type[nn.Module], ...]:
    """Norms whose forward is known; torchvision's, which takes seconds to import, where something has."""
    torchvision = sys.modules.get("torchvision.ops.misc")
    return (nn.BatchNorm2d,) if torchvision is None else (nn.BatchNorm2d, torchvision.FrozenBatchNorm2d)


@torch.no_grad()
def fold_batch_norm(network: nn.Module, run: Callable[[nn.Module], Any]) -> list[str]:
    """Fold what can be folded, in place, and return the names of the norms that are gone.

    A norm is folded where all that it ever gets is the output of one layer, which goes nowhere else.
    network: in evaluation mode; a delta network, or a plain one. run: runs it per frame on an example.
    """
    seen = _observe(network, run)
    folded = []
    for name, layer, norm in seen.pairs():
        if _absorb(layer, norm):
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, _what_remains(norm))
            folded.append(name)
    return folded


@dataclass
class _Uses(TorchFunctionMode):
    """Which layer made a tensor, and who got it: norms, or any other call."""

    made_by: dict[int, nn.Module] = field(default_factory=dict)
    kept: list[Tensor] = field(default_factory=list)  # alive, so that no identity is given twice
    inside: list[nn.Module] = field(default_factory=list)  # the layer or norm that is running
    inputs: dict[nn.Module, set[nn.Module | None]] = field(default_factory=dict)  # of each norm
    readers: dict[nn.Module, set[nn.Module | None]] = field(default_factory=dict)  # of each layer

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self.inside and any(
            isinstance(leaf, Tensor) for leaf in tree_leaves(result)
        ):  # not for a shape
            for leaf in tree_leaves((args, kwargs or {})):
                if isinstance(leaf, Tensor):
                    self.note_reader(leaf, None)
        return result

    def note_reader(self, tensor: Tensor, reader: nn.Module | None) -> None:
        """Take down that a norm, or None for anything else, has read a tensor."""
        if (layer := self.made_by.get(id(tensor))) is not None:
            self.readers.setdefault(layer, set()).add(reader)
        if reader is not None:
            self.inputs.setdefault(reader, set()).add(layer)


@dataclass
class _Seen:
    network: nn.Module
    uses: _Uses

    def pairs(self) -> list[tuple[str, nn.Module, nn.Module]]:
        """Name of a norm, the one layer before it, the norm; of those that belong to each other alone."""
        names = {module: name for name, module in self.network.named_modules()}
        found = []
        for norm, layers in self.uses.inputs.items():
            (layer,) = layers if len(layers) == 1 else (None,)
            if layer is not None and self.uses.readers[layer] == {norm} and names[norm]:
                found.append((names[norm], layer, norm))
        return found


def _observe(network: nn.Module, run: Callable[[nn.Module], Any]) -> _Seen:
    uses = _Uses()
    with hooked(_layers_and_norms(network), enter=_enter(uses), leave=_leave(uses)), uses:
        outputs = run(network)
    for leaf in tree_leaves(outputs):  # what the network returns is read by whoever called it
        if isinstance(leaf, Tensor):
            uses.note_reader(leaf, None)
    return _Seen(network, uses)


def _layers_and_norms(network: nn.Module) -> list[nn.Module]:
    """Norms, blocks, and the layers that are in no block."""
    blocks = [module for module in network.modules() if isinstance(module, DeltaBlock)]
    inner = {part for block in blocks for part in block.modules() if part is not block}
    return [
        module
        for module in network.modules()
        if module not in inner and (isinstance(module, (DeltaBlock, nn.Conv2d)) or _is_norm(module))
    ]


def _is_norm(module: nn.Module) -> bool:
    """Whether it is a batch norm of fixed statistics whose forward is known."""
    known = type(module) in _norms() or all(hasattr(module, name) for name in _BESIDE)
    return isinstance(module, _norms()) and known and module.running_mean is not None


def _enter(uses: _Uses) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Any, ...], _: Any) -> None:
        if not uses.inside:
            for leaf in tree_leaves(inputs):
                if isinstance(leaf, Tensor):
                    uses.note_reader(leaf, module if isinstance(module, _norms()) else None)
        uses.inside.append(module)

    return hook


def _leave(uses: _Uses) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        uses.inside.pop()
        if not uses.inside and isinstance(output, Tensor) and not isinstance(module, _norms()):
            uses.made_by[id(output)] = module
            uses.kept.append(output)

    return hook


def _absorb(layer: nn.Module, norm: nn.Module) -> bool:
    """Put the norm's scale and shift into the layer; False, and nothing changed, where that cannot be."""
    scale, shift = _scale_and_shift(norm)
    if isinstance(layer, DeltaBlock):
        return _absorb_into_block(layer, scale, shift)
    if type(layer) is not nn.Conv2d or not _is_plain(layer):
        return False
    _scale_layer(layer, scale, shift)
    return True


def _absorb_into_block(block: DeltaBlock, scale: Tensor, shift: Tensor) -> bool:
    teacher = block.teacher
    students = [getattr(block, name) for name in CANDIDATES if getattr(block, name) is not None]
    last = [_last_layer(student) for student in students]
    if type(teacher) is not nn.Conv2d or not _is_plain(teacher) or len(last) != len(block.candidates):
        return False
    if not last or any(layer is None for layer in last):
        return False
    _scale_layer(teacher, scale, shift)
    for layer in last:
        _scale_layer(cast(nn.Conv2d, layer), scale, None)
    return True


def _last_layer(student: nn.Module) -> nn.Conv2d | None:
    """The convolution that a linear student ends with, where it is one without a bias."""
    layers = list(student.children()) if isinstance(student, nn.Sequential) else [student]
    if any(type(layer) is not nn.Conv2d or layer.bias is not None for layer in layers):
        return None
    return cast(nn.Conv2d, layers[-1])


def _is_plain(layer: nn.Conv2d) -> bool:
    try:
        return plain_layer(layer) is layer
    except NoKernelError:
        return False


def _scale_and_shift(norm: Any) -> tuple[Tensor, Tensor]:
    """s and d of y = s z + d, in double precision."""
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    weight = torch.ones_like(mean) if norm.weight is None else norm.weight.double()
    bias = torch.zeros_like(mean) if norm.bias is None else norm.bias.double()
    scale = weight / (variance + norm.eps).sqrt()
    return scale, bias - mean * scale


def _scale_layer(layer: nn.Conv2d, scale: Tensor, shift: Tensor | None) -> None:
    weight = layer.weight.double() * scale[:, None, None, None]
    layer.weight = nn.Parameter(weight.to(layer.weight.dtype), requires_grad=False)
    if shift is not None:
        bias = torch.zeros_like(shift) if layer.bias is None else layer.bias.double()
        layer.bias = nn.Parameter((bias * scale + shift).to(layer.weight.dtype), requires_grad=False)


def _what_remains(norm: Any) -> nn.Module:
    """What a norm's class does beside normalising: timm's have an activation of their own."""
    rest = [getattr(norm, name) for name in _BESIDE if hasattr(norm, name)]
    return nn.Sequential(*rest) if rest else nn.Identity()
