"""A network split at modules that end it: what they read, and its output made of that alone."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from deltadistill.account.macs import count_macs
from deltadistill.forward.outputs import frame_outputs

_SAME = 1e-4  # of the output's largest value: what is left is rounding


class NetworkSplit:
    """The last modules of a network, of which its outputs are: one, or several in the order of its outputs.

    A module's map that is smaller than the network's output is resized to it (bilinear, corners not aligned),
    as segmentation networks do.
    Raises ValueError for names that the network does not have, and when it runs in full, where its outputs
    are not what the modules make of their input.
    """

    def __init__(self, network: nn.Module, names: str | Sequence[str]):
        self._network = network
        self._names = [names] if isinstance(names, str) else list(names)
        modules = dict(network.named_modules())
        if missing := [name for name in self._names if name not in modules]:
            raise ValueError(
                f"split {missing[0]!r}: the network has no such module; it has "
                f"{', '.join(name for name, _ in network.named_children()) or 'none that is to be seen'}"
            )
        self._looked_at = False
        self._macs: dict[tuple[int, int], int] = {}
        self._modules = [modules[name] for name in self._names]

    def full(self, frames: Tensor) -> tuple[Any, Any]:
        """The network's output for frames (N, 3, H, W), and the maps that its last modules read."""
        read: list[Any] = []

        def note(module: nn.Module, inputs: Any) -> None:
            read.append(None if read else _copied(inputs[0]))  # the same for all of them

        hooks = [module.register_forward_pre_hook(note) for module in self._modules]
        try:
            output = frame_outputs(self._network, frames)
        finally:
            for hook in hooks:
                hook.remove()
        if len(read) != len(self._modules):
            raise ValueError(f"split {self._names}: each must run once a frame; they ran {len(read)} times")
        self._sizes = [leaf.shape[-2:] for leaf in tree_leaves(output)]
        if not self._looked_at:
            self._require_same(output, read[0])
            self._looked_at = True
        return output, read[0]

    def rest(self, maps: Any) -> Any:
        """The output that the last modules make of the maps that they read, alike for all of them."""
        made = [module(_copied(maps)) for module in self._modules]
        sizes = iter(self._sizes)
        outputs = [tree_map_only(Tensor, lambda each: _resized(each, next(sizes)), each) for each in made]
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def rest_macs(self, size: tuple[int, int]) -> int:
        """MACs of the last modules on a frame of this size; counted once a size."""
        if size not in self._macs:
            rows = count_macs(self._network, (3, *size)).rows
            parts = tuple(f"{name}." for name in self._names)
            mine = [row for row in rows if row.name in self._names or row.name.startswith(parts)]
            self._macs[size] = sum(row.teacher_macs for row in mine)
        return self._macs[size]

    def _require_same(self, output: Any, maps: Any) -> None:
        made, wanted = tree_leaves(self.rest(maps)), tree_leaves(output)
        if len(made) == len(wanted) and all(map(_agree, made, wanted)):
            return
        raise ValueError(
            f"split {self._names}: the network's output is not what these modules make of their input alone; "
            "name the last ones, whose maps are the outputs but for a resizing"
        )


def _copied(maps: Any) -> Any:
    """Copies: what reads them may change them in place."""
    return tree_map_only(Tensor, torch.clone, maps)


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    if maps.dim() != 4 or maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


def _agree(made: Tensor, wanted: Tensor) -> bool:
    return made.shape == wanted.shape and bool((made - wanted).abs().max() <= _SAME * wanted.abs().max())
