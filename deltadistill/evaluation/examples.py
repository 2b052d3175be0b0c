"""Predictions of a few clips, kept for the report's pictures."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import Clips, inputs
from deltadistill.variants import Variant


def example_predictions(
    variants: Mapping[int, Variant], store: FrameStore, clips: Clips
) -> dict[str, np.ndarray]:
    """Arrays of examples.npz: the clips' names and, per sequence length, labels (clips, F, H, W).

    variants: by sequence length. F is the length of the shortest clip.
    """
    frames = min(len(clip) for clip in clips.values())
    arrays = {"clips": np.array(list(clips))}
    for length, variant in variants.items():
        labels = [predict_clip(variant, store, clip[:frames]) for clip in clips.values()]
        arrays[f"predictions_T{length}"] = torch.stack(labels).numpy()
    return arrays


def predict_clip(variant: Variant, store: FrameStore, frames: Sequence[Frame]) -> Tensor:
    """Labels (F, H, W), uint8, of one clip run as a stream from its first frame."""
    variant.reset()
    return torch.cat([variant.predict(inputs(store, [frame])) for frame in frames])
