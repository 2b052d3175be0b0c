"""A small teacher and a student of it that pools earlier, and what an objective sees of them."""

import torch
from torch import nn

from deltadistill.models.pool_earlier import pool_earlier
from deltadistill.objectives.per_frame_observation import PerFrameObservation
from deltadistill.objectives.setting import Setting
from deltadistill.tasks.classification import Classification

FRAMES = 16  # rows and columns


class Small(nn.Module):
    """Two convolutions that sample down, and a classifier."""

    def __init__(self, classes=3):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, 1, 1)
        self.second = nn.Conv2d(4, 6, 3, 2, 1)
        self.third = nn.Conv2d(6, 8, 3, 2, 1)
        self.head = nn.Linear(8, classes)

    def forward(self, frames):
        """Map frames (N, 3, H, W) to logits."""
        maps = self.third(self.second(self.first(frames).relu()).relu())
        return self.head(maps.mean((2, 3)))


def pair(**setting):
    """Student, teacher and the setting of an objective for them."""
    torch.manual_seed(0)
    teacher = Small().eval()
    student = pool_earlier(teacher, 2, size=(3, FRAMES, FRAMES))
    frames = torch.zeros(1, 3, FRAMES, FRAMES)
    given = {"task": Classification(3), "teacher": teacher} | setting
    return student, teacher, Setting(student, frames, (FRAMES, FRAMES), **given)


def seen(objective, student, teacher, labels=(0.0, 2.0)):
    """An observation of two clips of one random frame each, prepared for the objective."""
    torch.manual_seed(1)
    clip = torch.rand(len(labels), 1, 3, FRAMES, FRAMES)
    batch = objective.prepared({"clip": clip, "label": torch.tensor(labels)[:, None]}, student)
    return PerFrameObservation(student, batch, clip, objective.taps, teacher=teacher)
