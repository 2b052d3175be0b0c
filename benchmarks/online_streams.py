"""What a student that learns online saves, by camera and option, with and without pretraining.

    python benchmarks/online_streams.py --camera fixed --frames 600

JITNet is trained on short videos of other streets (--steps; 0: random weights), and then follows a video
with a teacher that says the true labels, so that nothing but the student is at fault. Prints mIoU over all
frames, labelled ones answered by the teacher, and without these; how often it asked; steps; and how many
times fewer MACs that was than a teacher of --teacher times the student's on every frame. Milliseconds are
the student's alone, updates included.
"""

import argparse
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill import models
from deltadistill.account.macs import count_macs
from deltadistill.data.frames import normalise
from deltadistill.data.label_table import label_ids_to_classes, table
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.online.settings import Settings
from deltadistill.online.stream import OnlineStream
from deltadistill.preparation.street.long_clip import Course, render_long
from deltadistill.tasks.segmentation import Segmentation

CLASSES = table("street_8")
SIZE = {"height": 96, "width": 192}
CAMERAS = ("fixed", "walking", "driving")
TRIED: dict[str, dict[str, Any]] = {
    "0.8, as published": {},
    "0.7": {"threshold": 0.7},
    "0.9": {"threshold": 0.9},
    "0.8, learning rate 0.001": {"learning_rate": 0.001},
    "0.8, 4 updates": {"updates": 4},
    "0.8, statistics frozen": {"batch_norm": "frozen"},
    "0.8, largest 20 %": {"part": "largest", "share": 0.2},
    "0.8, last 20 %": {"part": "last", "share": 0.2},
    "0.8, replay of 32": {"replay": 32},
    "0.8, where unsure": {"unsure": 0.1},
    "0.8, labels 4 late": {"lag": 4},
    "0.8, scenes kept": {"scenes": 4},
    "0.8, no updates": {"updates": 0},
    "oracle, 120 frames": {
        "threshold": 1.0,
        "updates": 2,
        "shortest": 2,
        "longest": 2,
        "replay": 60,
        "learns_until": 120,
    },
}


class Truth(nn.Module):
    """A teacher that says the labels it was given last, as logits (1, classes, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[int, Tensor] = {}

    def forward(self, frames: Tensor) -> Tensor:
        """Logits of the frame that is known by its content."""
        labels = self.labels[hash(frames.numpy().tobytes())].long().clamp(max=len(CLASSES) - 1)
        return 20 * F.one_hot(labels, len(CLASSES)).permute(2, 0, 1)[None].float()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--camera", choices=CAMERAS, default="fixed")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--scenes", type=int, default=1)
    parser.add_argument("--day", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--weights", type=Path, help="file to keep the pretrained weights in, and find them")
    parser.add_argument("--teacher", type=float, default=17.0, metavar="TIMES")
    parser.add_argument("--only", nargs="*", default=list(TRIED), choices=TRIED, metavar="NAME")
    given = parser.parse_args()
    course = Course(given.camera, scenes=given.scenes, hold=100, day=given.day)
    student = pretrained(given.steps, seed=given.seed) if given.weights is None else kept(given)
    pictures, labels = video((given.seed, 2, 7), course, frames=given.frames)
    for name in given.only:
        print(f"{name:26s}", followed(student, pictures, labels, TRIED[name], given.teacher), flush=True)


def video(key: tuple[int, ...], course: Course, *, frames: int, every: int = 1) -> tuple[Tensor, Tensor]:
    """Pictures uint8 (F, 3, H, W) and labels uint8 (F, H, W): each `every`-th of so many frames."""
    lookup = label_ids_to_classes(CLASSES)
    shown = list(islice(render_long(key, course, **SIZE, noise=0.03), 0, frames, every))
    pictures = torch.from_numpy(np.stack([frame.image for frame in shown])).permute(0, 3, 1, 2)
    return pictures, torch.from_numpy(np.stack([lookup.take(frame.label_ids) for frame in shown]))


def pretrained(steps: int, *, seed: int, streets: int = 32, batch: int = 8) -> nn.Module:
    """JITNet after so many steps on frames of other streets, seen by all three cameras."""
    torch.manual_seed(seed)
    network = models.build("jitnet", classes=len(CLASSES))
    if not steps:
        return network.eval()
    made = [
        video((1000 + seed, 0, n), Course(camera, day=600 * (n % 2)), frames=9, every=4)
        for n in range(streets)
        for camera in CAMERAS
    ]
    pictures, labels = (torch.cat(each) for each in zip(*made, strict=True))
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    draws = torch.Generator().manual_seed(seed)
    network.train()
    for step in range(steps):
        chosen = torch.randint(len(pictures), (batch,), generator=draws)
        frames, wanted = normalise(pictures[chosen]), labels[chosen].long()
        if step % 2:
            frames, wanted = frames.flip(3), wanted.flip(2)
        loss = F.cross_entropy(network(frames), wanted, ignore_index=255)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def kept(given: argparse.Namespace) -> nn.Module:
    """The student of a file, which is trained and written where there is none."""
    if not given.weights.is_file():
        torch.save(pretrained(given.steps, seed=given.seed).state_dict(), given.weights)
    network = models.build("jitnet", classes=len(CLASSES))
    network.load_state_dict(torch.load(given.weights, weights_only=True))
    return network.eval()


def followed(
    student: nn.Module, pictures: Tensor, labels: Tensor, settings: dict[str, Any], times: float
) -> str:
    """What became of the video with these settings, in words."""
    truth, task = Truth(), Segmentation(len(CLASSES))
    stream = OnlineStream(student, task, teacher=truth, settings=Settings(**settings))
    every, own = ConfusionMatrix(len(CLASSES)), ConfusionMatrix(len(CLASSES))
    teacher_macs = times * count_macs(student, (3, *pictures.shape[2:])).teacher
    macs, seconds, asked = 0.0, 0.0, 0
    for picture, wanted in zip(pictures, labels, strict=True):
        frame = normalise(picture[None])
        truth.labels[hash(frame.numpy().tobytes())] = wanted
        begin = time.perf_counter()
        answer = stream(frame).argmax(1)[0]
        seconds += time.perf_counter() - begin
        every.update(answer, wanted)
        if not stream.by_teacher:
            own.update(answer, wanted)
        asked += stream.is_labelled
        macs += stream.macs + stream.is_labelled * teacher_macs
    frames = len(pictures)
    return (
        f"mIoU {100 * every.miou():4.1f}, own answers {100 * own.miou():4.1f}, asked {asked / frames:5.1%}, "
        f"passed {sum((lesson.after or 0) >= stream.settings.threshold for lesson in stream.lessons)} of "
        f"{len(stream.lessons)}, {sum(lesson.steps for lesson in stream.lessons)} steps, "
        f"{teacher_macs * frames / macs:4.1f}x cheaper, {1000 * seconds / frames:.1f} ms"
    )


if __name__ == "__main__":
    main()
