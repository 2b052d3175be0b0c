"""Predictions of a few clips, kept for the report's pictures."""

from collections.abc import Mapping, Sequence

import numpy as np

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import Clips, inputs
from deltadistill.predictors.predictor import Predictor
from deltadistill.tasks.task import Predictions, Task


def example_predictions(
    variants: Mapping[int, Predictor], task: Task, store: FrameStore, clips: Clips
) -> dict[str, np.ndarray]:
    """Arrays of examples.npz: the clips' names and, per sequence length, predictions (clips, F, …).

    variants: by sequence length. F is the length of the shortest clip.
    """
    frames = min(len(clip) for clip in clips.values())
    arrays = {"clips": np.array(list(clips))}
    for length, variant in variants.items():
        predicted = [predict_clip(variant, store, clip[:frames]) for clip in clips.values()]
        arrays[f"predictions_T{length}"] = np.stack([task.as_array(clip) for clip in predicted])
    return arrays


def predict_clip(variant: Predictor, store: FrameStore, frames: Sequence[Frame]) -> Predictions:
    """What a variant says about each frame of one clip, run as a stream from its first."""
    variant.reset()
    return [prediction for frame in frames for prediction in variant.predict(inputs(store, [frame]))]
