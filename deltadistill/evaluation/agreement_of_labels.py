"""Temporal consistency: IoU of a prediction with the one before, warped along the flow (ETC, ECCV 2020).

Where we depart from ETC's script: labels are warped nearest (as floats they would invent classes at
borders), pixels that come from outside the image never count, an occlusion mask is an option, and classes
that occur in neither prediction are left out of the mean.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.motion.optical_flow import source_positions

NOWHERE = 255


class Warp:
    """Brings label maps of the frame before to the current frame, nearest, along one backward flow."""

    def __init__(self, flow: Tensor, *, visible: Tensor | None = None) -> None:
        """`flow` is (N, 2, H, W) in pixels; where `visible`, bool (N, H, W), is false nothing is brought."""
        height, width = flow.shape[-2:]
        x, y = torch.floor(source_positions(flow) + 0.5).long().unbind(1)
        self._lost = (x < 0) | (x >= width) | (y < 0) | (y >= height)
        if visible is not None:
            self._lost |= ~visible
        self._source = (y * width + x).masked_fill(self._lost, 0).flatten(1)

    def __call__(self, before: Tensor) -> Tensor:
        """Return labels uint8 (N, H, W) as seen now; 255 where they come from outside or are hidden."""
        if before.shape != self._lost.shape:
            raise ValueError(
                f"labels {tuple(before.shape)} do not fit a flow of (N, H, W) = {tuple(self._lost.shape)}"
            )
        warped = before.flatten(1).gather(1, self._source).view_as(before)
        return warped.masked_fill(self._lost, NOWHERE)


class Consistency:
    """Sums intersections and unions over pairs of successive predictions."""

    def __init__(self, classes: int) -> None:
        self.matrix = ConfusionMatrix(classes, ignore=NOWHERE)
        self.pixels = 0

    def update(self, warped: Tensor, now: Tensor) -> None:
        """Count pairs of a warped earlier prediction (see `Warp`) and the current one, uint8 (N, H, W)."""
        self.matrix.update(now, warped)
        self.pixels += now.numel()

    def state(self) -> dict[str, Any] | None:
        """Return all that was counted, or None where that is nothing."""
        return {"counts": self.matrix.counts, "pixels": self.pixels} if self.pixels else None

    def add(self, state: dict[str, Any]) -> None:
        """Count what another one has counted, of the same classes, whose state this is."""
        self.matrix.add(state["counts"])
        self.pixels += state["pixels"]

    def percent(self) -> float:
        """Return the mean IoU over the classes that occurred, in percent; NaN when nothing was counted."""
        return 100 * self.matrix.miou()

    def coverage_percent(self) -> float:
        """Return the share of pixels that counted, in percent; NaN before the first pair."""
        return 100 * int(self.matrix.counts.sum()) / self.pixels if self.pixels else float("nan")
