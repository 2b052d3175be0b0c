"""A tiny network on a video that drifts, for trials."""

import numpy as np
import pytest
import torch
from preparation.small_videos import drifting
from torch import nn

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.footage import Shot, split
from deltadistill.runtime.picture_form import PictureForm
from deltadistill.video.fitting import window

SIZE = (48, 64)


def shot(frames, *, video="film.mp4", first=0):
    picture = frames[0].shape[:2]
    return Shot(
        video, picture, window(picture, picture, "stretch"), range(first, first + len(frames)), frames
    )


@pytest.fixture
def case():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 4, 1),
    ).eval()
    frames = [np.ascontiguousarray(frame) for frame in drifting(40)]
    return Case(
        network=network,
        pictures=PictureForm(SIZE),
        parts=split([[shot(frames)]]),
        engines=("onnxruntime",),
        precisions=("fp32",),
        periods=(2, 4),
        threads=1,
    )
