"""Predictions of a few clips, kept for the report's pictures."""

from collections.abc import Iterable, Sequence

import numpy as np

from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import Clips, frame_batch, rate_of, stream_of
from deltadistill.predictors.predictor import Predictor
from deltadistill.tasks.task import Predictions, Task


def example_predictions(
    predictor: Predictor, task: Task, store: FrameStore, clips: Clips, *, lengths: Iterable[int]
) -> dict[str, np.ndarray]:
    """Arrays of examples.npz: the clips' names and, per sequence length, predictions (clips, F, …).

    F is the length of the shortest clip.
    """
    frames = min(len(clip) for clip in clips.values())
    arrays = {"clips": np.array(list(clips))}
    for length in lengths:
        predicted = [predict_clip(predictor, store, clip[:frames], period=length) for clip in clips.values()]
        arrays[f"predictions_T{length}"] = np.stack([task.as_array(clip) for clip in predicted])
    return arrays


def predict_clip(
    predictor: Predictor, store: FrameStore, frames: Sequence[Frame], *, period: int
) -> Predictions:
    """What a predictor says about each frame of one clip, a stream with a key frame every `period` frames."""
    first = frame_batch(store, frames[:1])
    predictor.begin(stream_of(first, FixedPeriod(period), frames_per_second=rate_of([frames])))
    batches = (frame_batch(store, [frame], since=frames[:1]) for frame in frames)
    return [prediction for batch in batches for prediction in predictor.answer(batch)]
