"""Batches of clips for distillation: drawn from a tensor or a sequence, or as an iterable gives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset

from deltadistill.blocks.sessions import hint_at_channels, require_frames
from deltadistill.processes.group import device_of

Clips = Tensor | Iterable[Any]
"""A tensor (N, T, C, H, W); a list or Dataset of clips (T, C, H, W); what yields batches (N, T, C, H, W)."""


class ClipBatches:
    """Gives the batch (N, T, C, H, W) of each step, on the network's device, steps in their order.

    A tensor and what has an order (lists, data sets) are drawn from by (seed, step). Anything else is gone
    through in its own order, such as a DataLoader's, and begun anew where it ends. Where an item is a tuple,
    such as (clip, label), its first entry is the clip.
    """

    def __init__(self, clips: Clips, network: nn.Module, *, batch: int, seed: int):
        self._network, self._device = network, device_of(network)
        self._batch, self._seed = batch, seed
        self._clips, self._iterator, self._given = clips, None, 0
        ordered = isinstance(clips, Tensor | Sequence | Dataset) and not isinstance(clips, IterableDataset)
        self._drawn = ordered and hasattr(clips, "__len__")
        if isinstance(clips, Tensor | np.ndarray):
            self._require(clips)  # which says what an array lacks
        elif not self._drawn and not hasattr(clips, "__iter__"):
            raise ValueError(
                f"clips are a {type(clips).__name__}; give a tensor (N, T, C, H, W), a list of clips "
                "(T, C, H, W), or a DataLoader"
            )
        if self._drawn and not len(clips):
            raise ValueError("there are no clips; give one or more (T, C, H, W)")

    def at(self, step: int) -> Tensor:
        """Return the batch of a step."""
        found = self._draw(step) if self._drawn else self._next()
        self._require(found)
        return found.to(self._device)

    def _draw(self, step: int) -> Tensor:
        generator, count = np.random.default_rng([self._seed, step]), len(self._clips)
        indices = generator.choice(count, self._batch, replace=count < self._batch)
        if isinstance(self._clips, Tensor):
            return self._clips[indices]
        return self._stacked([_clip_of(self._clips[int(index)]) for index in indices])

    def _stacked(self, clips: list[Tensor]) -> Tensor:
        if clips[0].dim() == 5:  # batches already
            return clips[0]
        shapes = {tuple(clip.shape) for clip in clips}
        if len(shapes) > 1:
            raise ValueError(
                f"clips of one step differ in shape: {sorted(shapes)}; take batch=1, or equal sizes"
            )
        return torch.stack(clips)

    def _next(self) -> Tensor:
        clip = self._next_clip()
        if clip.dim() == 5:
            return clip
        return self._stacked([clip, *(self._next_clip() for _ in range(self._batch - 1))])

    def _next_clip(self) -> Tensor:
        if self._iterator is None:
            self._iterator = iter(self._clips)
        item = next(self._iterator, None)
        if item is None:
            self._iterator = self._begun_anew()
            item = next(self._iterator)
        self._given += 1
        return _clip_of(item)

    def _begun_anew(self) -> Iterator[Any]:
        if self._given and iter(self._clips) is not self._clips:
            return iter(self._clips)
        raise ValueError(
            f"the clips ran out after {self._given} item(s), and a {type(self._clips).__name__} cannot be "
            "gone through again; give a list or a DataLoader, or one that is long enough for the steps"
        )

    def _require(self, clips: Tensor) -> None:
        require_frames(clips, "(N, T, C, H, W)")
        hint_at_channels(self._network, clips)
        if clips.shape[0] < 1 or clips.shape[1] < 2:
            raise ValueError(f"expected clips (N, T, C, H, W) of at least 2 frames, got {tuple(clips.shape)}")


def _clip_of(item: Any) -> Tensor:
    clip = item[0] if isinstance(item, tuple | list) and item else item
    if isinstance(clip, Tensor) and clip.dim() in (4, 5):
        return clip
    shape = f" of shape {tuple(clip.shape)}" if isinstance(clip, Tensor) else ""
    raise ValueError(
        f"an item of the clips is a {type(clip).__name__}{shape}; expected a clip (T, C, H, W), a batch "
        "(N, T, C, H, W), or a tuple that begins with one; make a generator that yields these of your data"
    )
