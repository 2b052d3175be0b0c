"""Evaluation frame by frame: frames as input, what predictions are compared with, a per-frame score."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from deltadistill.data.frames import FrameStore, normalise
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.sharing import add_up, turns
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.modes import evaluation_mode
from deltadistill.processes import ALONE, Group, device_of
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
            seen = inputs(store, [frame]).to(device_of(teacher))
            known[frame] = task.predict(teacher(seen))[0].cpu()
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
    group: Group = ALONE,
    between: Callable[[], None] = lambda: None,
) -> ConfusionMatrix:
    """Confusion matrix of the network run on single frames; group and between as in clips.clip_score."""
    matrix = task.metric()
    batches = [frames[start : start + batch] for start in range(0, len(frames), batch)]
    with evaluation_mode(network):
        for turn in turns(batches, group):
            for some in turn:
                labels = task.predict(network(inputs(store, some).to(device_of(network))))
                for frame, prediction in zip(some, labels, strict=True):
                    matrix.update(prediction, reference(frame))
            between()
    add_up([matrix], group)
    return matrix
