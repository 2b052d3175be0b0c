"""A tiny network on a video that drifts, for trials."""

import numpy as np
import pytest
import torch
from preparation.small_videos import drifting
from torch import nn

from deltadistill.acceleration import course as courses
from deltadistill.acceleration import delta_trials, fill_trials, student_trials
from deltadistill.acceleration.accelerate import accelerate
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.designs import Design
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


ONE = (Design(4, "spatial"),)


class Times:
    """Times that are said: delta frames save some; filled frames, and key frames by change, as told."""

    def __init__(self, filled=0.01, by_change=0.01):
        self._filled, self._by_change = filled, by_change

    def speedups(self, name, periods, *, between, fill=None):
        return {each: self._filled * each if fill else 1 + each / 10 for each in periods}

    def speedup_by_change(self, name, lengths, *, between, fill=None):
        return self._by_change * sum(lengths) / len(lengths)

    def parts_ms(self, name, fill=None):
        return {"frame": 2.0, "key": 2.4, "delta": 1.0, **({"filled": 0.1} if fill else {})}


@pytest.fixture
def quick(monkeypatch):
    """One design, and times that are said; a function that says others."""
    monkeypatch.setattr(courses, "DESIGNS", ONE)

    def say(times):
        for module in (fill_trials, delta_trials, student_trials):
            monkeypatch.setattr(module, "way_times", lambda *given, **options: times)

    say(Times())
    monkeypatch.setattr("deltadistill.acceleration.accelerate.runner_speedup", lambda *given, **options: 1.3)
    return say


class Clock:
    """Time that passes when it is looked at."""

    def __init__(self, step=0.01):
        self.now, self._step = 0.0, step

    def __call__(self):
        self.now += self._step
        return self.now


def run(case, folder, **options):
    options.setdefault("budget", Budget(80, clock=Clock(0.5)))
    return accelerate(case, folder, **options)
