"""Labelled frames that are kept, to be learned from again: against forgetting what comes back.

Houyon et al., *Online Distillation with Continual Learning for Cyclic Domain Shifts*, CVPRW 2023. Of all
frames labelled so far every one is as likely to be kept (a reservoir).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from deltadistill.forward.kept_bytes import kept_bytes

Labelled = tuple[Tensor, Any]
"""A frame (N, C, H, W), and the teacher's output for it."""


class Replay:
    """At most `size` labelled frames; what is kept, and drawn, depends on their order alone."""

    def __init__(self, size: int):
        self._size = size
        self.forget()

    def forget(self) -> None:
        """Begin another stream."""
        self._kept: list[Labelled] = []
        self._seen = 0

    def add(self, frame: Tensor, taught: Any) -> None:
        """See another labelled frame; the n-th is kept with the chance size / n, in the place of any."""
        self._seen += 1
        if len(self._kept) < self._size:
            self._kept.append((frame, taught))
        elif (place := _draw(self._seen, self._seen)) < self._size:
            self._kept[place] = frame, taught

    def draw(self, step: int) -> Labelled | None:
        """Any of those kept, for a step of the next update; None where there is none."""
        return self._kept[_draw(len(self._kept), self._seen, step)] if self._kept else None

    @property
    def bytes(self) -> int:
        """Memory of what is kept, where outputs are tensors."""
        return kept_bytes([each for pair in self._kept for each in pair if isinstance(each, Tensor)])

    def state(self) -> dict[str, Any]:
        """What `resume` goes on from."""
        return {"kept": list(self._kept), "seen": self._seen}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._kept = [(frame, taught) for frame, taught in state["kept"]]
        self._seen = state["seen"]


def _draw(below: int, *key: int) -> int:
    """A number from 0 that depends on the key alone."""
    seed = 0
    for part in key:
        seed = seed * 1_000_003 + part
    return int(torch.randint(below, (), generator=torch.Generator().manual_seed(seed)))
