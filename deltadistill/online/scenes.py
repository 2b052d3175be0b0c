"""What was learned of a scene, kept for when the scene comes back after a cut."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from deltadistill.forward.kept_bytes import kept_bytes

SIDE = 8  # of the thumbnail that a scene is known by


def look(frame: Tensor) -> Tensor:
    """What a scene is known by: the mean brightness of 8 × 8 parts of a frame (N, C, H, W)."""
    return F.adaptive_avg_pool2d(frame.mean(1, keepdim=True), SIDE)


def distance(one: Tensor, other: Tensor) -> float:
    """Mean absolute difference of two looks, in units of normalised frames."""
    return float((one - other).abs().mean())


class Scenes:
    """Snapshots of a student by the last look of the scene that it was of; the longest unseen goes first.

    size: most of them. change: a frame whose look is farther than this from that of the frame before begins
    another scene, and one nearer than this to a kept scene's last look is that scene again.
    """

    def __init__(self, size: int, change: float):
        self._size, self._change = size, change
        self.forget()

    def forget(self) -> None:
        """Begin another stream."""
        self._last: Tensor | None = None
        self._kept: list[tuple[Tensor, Any]] = []

    def is_cut(self, frame: Tensor) -> bool:
        """Whether a frame begins another scene; it is the one that the next is compared with."""
        now, before = look(frame), self._last
        self._last = now
        self._left = before
        return before is not None and distance(now, before) > self._change

    def change(self, snapshot: Any) -> Any | None:
        """At a cut: keep what was learned of the scene before; what was learned of this one, or None."""
        assert self._left is not None  # is_cut says so
        assert self._last is not None
        self._kept.append((self._left, snapshot))
        near = [(distance(self._last, seen), n) for n, (seen, _) in enumerate(self._kept[:-1])]
        nearest = min(near, default=(self._change + 1, -1))
        found = self._kept.pop(nearest[1])[1] if nearest[0] <= self._change else None
        del self._kept[: -self._size]
        return found

    @property
    def bytes(self) -> int:
        """Memory of all snapshots' weights, without momentum."""
        return kept_bytes([tensor for _, snapshot in self._kept for tensor in snapshot["tensors"]])

    def state(self) -> dict[str, Any]:
        """What `resume` goes on from."""
        return {"last": self._last, "kept": list(self._kept)}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._last, self._kept = state["last"], [(seen, snapshot) for seen, snapshot in state["kept"]]
