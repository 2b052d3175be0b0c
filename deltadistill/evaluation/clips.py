"""Evaluation of a delta network on short clips at once: the look at the tune split during training."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from deltadistill.blocks.stream import forward_clip
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import inputs
from deltadistill.forward.clip_axes import all_frames
from deltadistill.forward.outputs import frame_outputs
from deltadistill.metrics.counters import add_up
from deltadistill.processes.group import ALONE, Group, device_of
from deltadistill.tasks.task import Metric, Reference, Task


def tune_windows(store: FrameStore, length: int) -> list[tuple[Frame, ...]]:
    """Windows of `length` consecutive frames of the tune split, without overlap, each with a labelled frame.

    Where every frame is labelled, or none, they lie side by side. Where few are, the first one of the n-th
    window is n mod `length` frames after the window's key frame, if the clip has room for that: over many
    windows it stands at every distance.
    """
    clips = store.manifest.clips("tune").values()
    any_label = any(store.is_annotated(frame) for frames in clips for frame in frames)
    windows: list[tuple[Frame, ...]] = []
    for frames in clips:
        end = 0  # of the window before
        for index, frame in enumerate(frames):
            if index < end or (any_label and not store.is_annotated(frame)):
                continue
            start = min(max(end, index - len(windows) % length), len(frames) - length)
            if start >= end:
                windows.append(tuple(frames[start : start + length]))
                end = start + length
    if not windows:
        raise ValueError(f"no clip of the tune split holds {length} frames; lower distill.max_distance")
    return windows


@torch.no_grad()
def clip_score(
    network: nn.Module,
    task: Task,
    store: FrameStore,
    windows: Sequence[Sequence[Frame]],
    reference: Reference,
    *,
    batch: int = 4,
    group: Group = ALONE,
    between: Callable[[], None] = lambda: None,
    motion_of: Callable[[Tensor], Tensor] | None = None,
) -> Metric:
    """The task's metric of a delta network over windows whose first frame is the key frame.

    group: processes that take the batches in turns; each gets all that was counted.
    between: called after every turn, in all of them.
    motion_of: from clips (N, T, 3, H, W) to the motion of later frames, for blocks that move what they keep.
    """
    metric = task.metric()
    batches = [windows[start : start + batch] for start in range(0, len(windows), batch)]
    for turn in group.turns(batches):
        for some in turn:
            clip = torch.stack([inputs(store, window) for window in some]).to(device_of(network))
            motion = None if motion_of is None else motion_of(clip)
            output = all_frames(forward_clip(network, clip, run=frame_outputs, motion=motion))
            predictions = task.predict(output, network=network)
            frames = (frame for together in zip(*some, strict=True) for frame in together)
            for frame, prediction in zip(frames, predictions, strict=True):
                metric.update(prediction, reference(frame))
        between()
    add_up([metric], group)
    return metric
