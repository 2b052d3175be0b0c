"""Evaluation frame by frame: frames as input, what predictions are compared with, a per-frame score."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from deltadistill.data.frames import FrameStore, normalise
from deltadistill.data.manifest import Frame
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.modes import evaluation_mode
from deltadistill.tasks.segmentation import Segmentation

Clips = Mapping[str, Sequence[Frame]]
Reference = Callable[[Frame], Tensor]
"""Maps a frame to the labels (H, W) that its prediction is compared with."""


def inputs(store: FrameStore, frames: Iterable[Frame]) -> Tensor:
    """Stack frames as normalised network input (N, 3, H, W)."""
    stacked = torch.stack([store.image(frame) for frame in frames])
    return normalise(stacked)


def split_frames(store: FrameStore, split: str) -> list[Frame]:
    """Frames of a split, in the manifest's order."""
    return [frame for clip in store.manifest.clips(split).values() for frame in clip]


def labelled_frames(store: FrameStore, split: str) -> list[Frame]:
    """Frames of a split that have labels, in the manifest's order."""
    return [frame for frame in split_frames(store, split) if frame.label is not None]


def label_reference(store: FrameStore) -> Reference:
    """Compare with the data set's labels."""
    return store.label


def teacher_reference(teacher: nn.Module, task: Segmentation, store: FrameStore) -> Reference:
    """Compare with the per-frame teacher's own predictions (fidelity, where there are no labels)."""
    known: dict[Frame, Tensor] = {}

    @torch.no_grad()
    def predict(frame: Frame) -> Tensor:
        if frame not in known:
            known[frame] = task.predict(teacher(inputs(store, [frame])))[0]
        return known[frame]

    return predict


@torch.no_grad()
def per_frame_score(
    network: nn.Module,
    task: Segmentation,
    store: FrameStore,
    frames: Sequence[Frame],
    reference: Reference,
    *,
    batch: int = 16,
) -> ConfusionMatrix:
    """Confusion matrix of the network run on single frames."""
    matrix = task.metric()
    with evaluation_mode(network):
        for start in range(0, len(frames), batch):
            some = frames[start : start + batch]
            labels = task.predict(network(inputs(store, some)))
            for frame, prediction in zip(some, labels, strict=True):
                matrix.update(prediction, reference(frame))
    return matrix
