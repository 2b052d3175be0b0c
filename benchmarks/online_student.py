"""How well a student that begins with random weights follows a generated street, setting by setting.

    python benchmarks/online_student.py --frames 240

The clip's true labels are the teacher's, so that nothing but the student is at fault. Prints the mIoU of the
student's own answers over all frames and by quarters, how often it asked, its steps, its MACs per frame.
"""

import argparse
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill import models
from deltadistill.data.frames import normalise
from deltadistill.data.label_table import label_ids_to_classes, table
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.online.settings import Settings
from deltadistill.online.stream import OnlineStream
from deltadistill.preparation.street.clip import render_clip
from deltadistill.tasks.segmentation import Segmentation

CLASSES = table("street_8")
QUARTERS = 4
# By name: settings of the stream, and options of JITNet.
TRIED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as published": ({}, {}),
    "statistics per update": ({"batch_norm": "per_update"}, {}),
    "statistics frozen": ({"batch_norm": "frozen"}, {}),
    "learning rate 0.001": ({"learning_rate": 0.001}, {}),
    "learning rate 0.1": ({"learning_rate": 0.1}, {}),
    "threshold 0.7": ({"threshold": 0.7}, {}),
    "threshold 0.9": ({"threshold": 0.9}, {}),
    "4 updates": ({"updates": 4}, {}),
    "16 updates": ({"updates": 16}, {}),
    "stride from 4": ({"shortest": 4}, {}),
    "stride from 16": ({"shortest": 16}, {}),
    "width 0.5": ({}, {"width": 0.5}),
    "no skip": ({}, {"skip": False}),
}


class Truth(nn.Module):
    """A teacher that says the true labels of the frame whose number is `frame`."""

    def __init__(self, labels: Tensor):
        super().__init__()
        self.labels, self.frame = labels, 0

    def forward(self, frames: Tensor) -> Tensor:
        """Logits (1, classes, H, W)."""
        labels = (
            self.labels[self.frame].long().clamp(max=len(CLASSES) - 1)
        )  # what has no label: the last class
        return 20 * F.one_hot(labels, len(CLASSES)).permute(2, 0, 1)[None].float()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--only", nargs="*", default=list(TRIED), choices=TRIED, metavar="NAME")
    arguments = parser.parse_args()
    pictures, labels = clip(arguments.frames)
    for name in arguments.only:
        print(f"{name:22s}", followed(pictures, labels, *TRIED[name]), flush=True)


def clip(frames: int, *, height: int = 96, width: int = 192) -> tuple[Tensor, Tensor]:
    """Pictures uint8 (F, 3, H, W) and labels uint8 (F, H, W) of one drive."""
    lookup = label_ids_to_classes(CLASSES)
    rendered = list(render_clip((7, 2, 0), frames=frames, height=height, width=width, noise=0.03))
    pictures = torch.from_numpy(np.stack([frame.image for frame in rendered])).permute(0, 3, 1, 2)
    return pictures, torch.from_numpy(np.stack([lookup.take(frame.label_ids) for frame in rendered]))


def followed(pictures: Tensor, labels: Tensor, settings: dict[str, Any], options: dict[str, Any]) -> str:
    """What became of the clip with these settings, in words."""
    torch.manual_seed(0)
    student, truth = models.build("jitnet", classes=len(CLASSES), **options), Truth(labels)
    made = Settings(answers="student", **settings)
    stream = OnlineStream(student, Segmentation(len(CLASSES)), teacher=truth, settings=made)
    counted, macs = [ConfusionMatrix(len(CLASSES)) for _ in range(QUARTERS)], 0
    for number, picture in enumerate(pictures):
        truth.frame = number
        logits = stream(normalise(picture[None]))
        counted[QUARTERS * number // len(pictures)].update(logits.argmax(1)[0], labels[number])
        macs += stream.macs
    whole = sum(counted[1:], counted[0])
    lessons = stream.lessons
    return (
        f"mIoU {100 * whole.miou():4.1f}, by quarters {[round(100 * each.miou(), 1) for each in counted]}, "
        f"asked {len(lessons) / len(pictures):.1%}, {sum(lesson.steps for lesson in lessons)} steps, "
        f"{sum(bool(each.undone) for each in lessons)} times undone, {macs / len(pictures) / 1e9:.3f} GMac"
    )


if __name__ == "__main__":
    main()
