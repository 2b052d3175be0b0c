"""Which maps of a student and its teacher an objective of features compares, by names of modules."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from deltadistill.forward.modes import evaluation_mode
from deltadistill.objectives.named_pairs import Modules, last_block_at_each_size, named_pairs
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


@dataclass(frozen=True)
class ComparedMaps:
    """Modules whose first output is compared: names in the student, and in the teacher, one for each."""

    modules: tuple[str, ...]
    taught_by: tuple[str, ...]

    @classmethod
    def named(cls, setting: Setting, modules: Modules, objective: str) -> "ComparedMaps":
        """Those of an objective's options; without any, the last map of each size in both networks.

        Raises ValueError for modules that are not there or make no map (N, C, H, W).
        """
        pairs = named_pairs(setting, modules, objective, without=last_at_each_size)
        for own, taught in pairs:
            require_map(own, setting.maps(own))
            require_map(taught, setting.teacher_maps(taught))
        return cls(tuple(own for own, _ in pairs), tuple(taught for _, taught in pairs))

    @property
    def taps(self) -> Taps:
        """What an objective must ask to see."""
        return Taps(own_modules=self.modules, teacher_modules=self.taught_by)

    def channels(self, setting: Setting) -> list[tuple[int, int]]:
        """Channels of each pair, the student's and the teacher's."""
        return [(own.shape[1], taught.shape[1]) for own, taught in self._shown(setting)]

    def of(self, seen: Any) -> list[tuple[Tensor, Tensor]]:
        """The maps of an observation, pair by pair, both (N, …, H, W)."""
        return [
            (own, taught)
            for name, other in zip(self.modules, self.taught_by, strict=True)
            for own, taught in zip(seen.maps(name), seen.teacher_maps(other), strict=True)
        ]

    def _shown(self, setting: Setting) -> Iterator[tuple[Tensor, Tensor]]:
        for name, other in zip(self.modules, self.taught_by, strict=True):
            yield setting.maps(name)[0], setting.teacher_maps(other)[0]


def require_map(name: str, made: Sequence[Tensor]) -> None:
    """ValueError unless a module makes maps (N, C, H, W)."""
    for each in made:
        if each.dim() != 4:
            raise ValueError(f"{name} makes {tuple(each.shape)}; expected a map (N, C, H, W)")
    if not made:
        raise ValueError(f"{name} does not run on a frame; expected a module that makes a map (N, C, H, W)")


def at_one_size(own: Tensor, taught: Tensor) -> tuple[Tensor, Tensor]:
    """Two maps (N, …, H, W), the larger averaged to the size of the smaller."""
    size = min(own.shape[-2], taught.shape[-2]), min(own.shape[-1], taught.shape[-1])
    return adaptive_avg_pool2d(own, size), adaptive_avg_pool2d(taught, size)


def last_at_each_size(setting: Setting) -> list[str]:
    """The last module at each size of maps, in the order of running.

    Of a delta network its blocks; of a per-frame student modules of the teacher, at the teacher's sizes, that
    the student has by the same name.
    """
    if setting.teacher is None:
        return last_block_at_each_size(setting)
    own = dict(setting.network.named_modules())
    last = {
        size: name for name, size in _maps_made(setting, setting.teacher) if name in own and size.numel() > 1
    }
    return sorted(last.values(), key=[name for name, _ in _maps_made(setting, setting.teacher)].index)


@torch.no_grad()
def _maps_made(setting: Setting, network: nn.Module) -> list[tuple[str, torch.Size]]:
    """Modules that return a map, in the order in which they end, and its rows and columns."""
    found: list[tuple[str, torch.Size]] = []

    def note(name: str, _module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() == 4:
            found.append((name, output.shape[2:]))

    with ExitStack() as hooks, evaluation_mode(network):
        for name, module in network.named_modules():
            if name:
                hooks.callback(module.register_forward_hook(partial(note, name)).remove)
        setting.run(network, setting.frames)
    return found
