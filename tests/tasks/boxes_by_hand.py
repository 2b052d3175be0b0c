"""Detectors without weights, for losses and boxes worked by hand."""

import torch
from torch import nn

from deltadistill.models.anchor_layout import AnchorLayout
from deltadistill.tasks.detection import Detection
from deltadistill.tasks.suppression import Suppression

LAYOUT = AnchorLayout((128, 128))
ANCHORS = 9 * (16**2 + 8**2 + 4**2 + 2**2 + 1)


class Anchored(nn.Module):
    """Carries anchors and does nothing else."""

    anchors = LAYOUT


def detection(classes=1, **changes):
    chosen = {"min_score": 0.3, "max_iou": 0.5, "candidates": 1000, "max_detections": 100} | changes
    return Detection(classes, Suppression(**chosen), shown_score=0.5)


def maps(frames=1, classes=1, *, logit=0.0):
    """Class logits that are all alike, and offsets of zero."""
    logits = [torch.full((frames, 9 * classes, *size), logit) for size in LAYOUT.level_sizes]
    offsets = [torch.zeros(frames, 36, *size) for size in LAYOUT.level_sizes]
    return logits, offsets


def references(*frames):
    """Rows (x0, y0, x1, y1, class) of each frame, padded: (N, M, 5)."""
    most = max(1, *(len(rows) for rows in frames), 1)
    packed = torch.full((len(frames), most, 5), -1.0)
    for row, boxes in zip(packed, frames, strict=True):
        for place, box in zip(row, boxes, strict=False):
            place[:] = torch.tensor(box)
    return packed
