"""Evaluation frame by frame: frames as input, what predictions are compared with, a per-frame score."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.schedules import KeySchedule, OnDemand
from deltadistill.data.frame_times import frames_per_second
from deltadistill.data.frames import FrameStore, normalise
from deltadistill.data.manifest import Frame
from deltadistill.forward.modes import evaluation_mode
from deltadistill.forward.outputs import frame_outputs
from deltadistill.metrics.counters import add_up
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.processes.group import ALONE, Group, device_of
from deltadistill.tasks.task import Metric, Reference, Task

Clips = Mapping[str, Sequence[Frame]]


def inputs(store: FrameStore, frames: Iterable[Frame]) -> Tensor:
    """Stack frames as normalised network input (N, 3, H, W)."""
    return normalise(_pictures(store, frames))


def frame_batch(
    store: FrameStore, frames: Sequence[Frame], *, since: Sequence[Frame] | None = None
) -> FrameBatch:
    """Frames of streams side by side, for a predictor.

    since: the streams' first frames; with them the time stamps of a manifest that has any are known. Motion
        is not: a prepared data set keeps pictures, not the vectors of the video file that they came from.
    """
    return FrameBatch(_pictures(store, frames), None if since is None else _seconds(frames, since))


def _seconds(frames: Sequence[Frame], since: Sequence[Frame]) -> Tensor | None:
    """Seconds from each stream's first frame, float64 (N,); None where a frame has no time stamp."""
    times = [(frame.seconds, first.seconds) for frame, first in zip(frames, since, strict=True)]
    if any(None in both for both in times):
        return None
    return torch.tensor([now - begun for now, begun in times], dtype=torch.float64)


def stream_of(
    first: FrameBatch, schedule: KeySchedule | None = None, *, frames_per_second: float | None = None
) -> StreamInfo:
    """What is known of streams that begin with these frames.

    schedule: begins again; None: only the first frame is a key frame.
    """
    schedule = schedule or OnDemand()
    schedule.reset()
    streams, _, *size = first.pictures.shape
    return StreamInfo(streams, tuple(size), frames_per_second, schedule)


def rate_of(streams: Iterable[Sequence[Frame]]) -> float | None:
    """Frames per second of streams side by side, by time stamps; None where unknown, or not the same."""
    rates = {frames_per_second([frame.seconds for frame in frames]) for frames in streams}
    return rates.pop() if len(rates) == 1 else None


def reference_of(name: str, task: Task, store: FrameStore, teacher: nn.Module) -> Reference:
    """What predictions are compared with: "labels", or "teacher", its own predictions."""
    return task.reference(store) if name == "labels" else teacher_reference(teacher, task, store)


def _pictures(store: FrameStore, frames: Iterable[Frame]) -> Tensor:
    return torch.stack([store.image(frame) for frame in frames])


def split_frames(store: FrameStore, split: str) -> list[Frame]:
    """Frames of a split, in the manifest's order."""
    return [frame for clip in store.manifest.clips(split).values() for frame in clip]


def labelled_frames(store: FrameStore, split: str) -> list[Frame]:
    """Frames of a split that are annotated, in the manifest's order."""
    return [frame for frame in split_frames(store, split) if store.is_annotated(frame)]


def teacher_reference(teacher: nn.Module, task: Task, store: FrameStore) -> Reference:
    """Compare with the per-frame teacher's own predictions (fidelity, where there are no labels)."""
    known: dict[Frame, Any] = {}

    @torch.no_grad()
    def predict(frame: Frame) -> Any:
        if frame not in known:
            seen = inputs(store, [frame]).to(device_of(teacher))
            (prediction,) = task.predict(frame_outputs(teacher, seen), network=teacher)
            known[frame] = task.as_reference(prediction, frame)
        return known[frame]

    return predict


@torch.no_grad()
def per_frame_score(
    network: nn.Module,
    task: Task,
    store: FrameStore,
    frames: Sequence[Frame],
    reference: Reference,
    *,
    batch: int = 16,
    group: Group = ALONE,
    between: Callable[[], None] = lambda: None,
) -> Metric:
    """The task's metric of the network run on single frames; group and between as in clips.clip_score."""
    metric = task.metric()
    batches = [frames[start : start + batch] for start in range(0, len(frames), batch)]
    with evaluation_mode(network):
        for turn in group.turns(batches):
            for some in turn:
                output = frame_outputs(network, inputs(store, some).to(device_of(network)))
                predictions = task.predict(output, network=network)
                for frame, prediction in zip(some, predictions, strict=True):
                    metric.update(prediction, reference(frame))
            between()
    add_up([metric], group)
    return metric
