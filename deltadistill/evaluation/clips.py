"""Evaluation of a delta network on short clips at once: the look at the tune split during training."""

from collections.abc import Sequence

import torch
from torch import nn

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import Reference, inputs
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.stream import forward_clip
from deltadistill.tasks.segmentation import Segmentation


def tune_windows(store: FrameStore, length: int) -> list[tuple[Frame, ...]]:
    """Windows of `length` consecutive frames of the tune split, side by side without overlap."""
    windows = [
        tuple(frames[start : start + length])
        for frames in store.manifest.clips("tune").values()
        for start in range(0, len(frames) - length + 1, length)
    ]
    if not windows:
        raise ValueError(f"no clip of the tune split holds {length} frames; lower distill.max_distance")
    return windows


@torch.no_grad()
def clip_score(
    network: nn.Module,
    task: Segmentation,
    store: FrameStore,
    windows: Sequence[Sequence[Frame]],
    reference: Reference,
    *,
    batch: int = 4,
) -> ConfusionMatrix:
    """Confusion matrix of a delta network over windows whose first frame is the key frame."""
    matrix = task.metric()
    for start in range(0, len(windows), batch):
        some = windows[start : start + batch]
        clip = torch.stack([inputs(store, window) for window in some])
        labels = task.predict(forward_clip(network, clip).flatten(0, 1))
        for frame, prediction in zip((f for window in some for f in window), labels, strict=True):
            matrix.update(prediction, reference(frame))
    return matrix
