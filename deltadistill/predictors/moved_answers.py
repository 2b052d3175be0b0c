"""Answers of a frame before, every part of them where its surface has gone since."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from deltadistill.data.boxes import Detections
from deltadistill.motion.from_key import FromKey
from deltadistill.motion.moved import moved_boxes, moved_labels, moved_maps
from deltadistill.tasks.task import Predictions


def moved_answers(predictions: Predictions, motions: Iterable[FromKey], size: tuple[int, int]) -> Predictions:
    """Labels (H, W), maps (C, H, W) or boxes of every stream, moved along its motion.

    motions: since the frame that was answered. size: height and width of the frames, pixels.
    ValueError for predictions that have no places.
    """
    moved = [_of_one(*each, size) for each in zip(predictions, motions, strict=True)]
    return torch.stack(moved) if isinstance(predictions, Tensor) else moved


def elements(predictions: Predictions) -> int:
    """How many values of a frame's prediction are moved bilinearly; labels and boxes are copied."""
    first = predictions[0]
    return first.numel() if isinstance(first, Tensor) and first.is_floating_point() else 0


def _of_one(prediction: Any, motion: FromKey, size: tuple[int, int]) -> Any:
    if isinstance(prediction, Detections):
        boxes = moved_boxes(prediction.boxes, motion.forth(), size)
        return Detections(boxes, prediction.scores, prediction.classes)
    if not isinstance(prediction, Tensor) or prediction.dim() not in (2, 3):
        raise ValueError(
            f"a prediction of type {type(prediction).__name__} has no places that could be moved; "
            "expected labels (H, W), maps (C, H, W) or boxes; predict: copy repeats it"
        )
    if not prediction.is_floating_point():
        return torch.from_numpy(moved_labels(prediction.numpy(), motion.back()))
    maps = prediction.float().reshape(1, -1, *prediction.shape[-2:])
    return torch.from_numpy(moved_maps(maps.numpy(), motion.back())).reshape(prediction.shape)
