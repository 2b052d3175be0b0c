"""Does DisWOT's likeness of untrained networks tell which student learns best? On generated streets.

    python benchmarks/untrained_search.py
    python benchmarks/untrained_search.py --steps 400 --designs 24

A DDRNet-23-slim of width 16 learns the labels, then every design (widths and strides of the stem) learns
labels and its logits for as many steps. Printed: each design's MACs, its likeness to the teacher before
either has learnt, and its mIoU after; then Spearman's ρ of mIoU with likeness and, since dear networks are
good ones, with MACs. An estimated 25 minutes on one core with 24 designs and 200 steps.
"""

import argparse
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

import deltadistill as dd
from deltadistill import models
from deltadistill.data.frames import normalise
from deltadistill.data.label_table import label_ids_to_classes, table
from deltadistill.distillation.untrained_likeness import likeness, rank_correlation
from deltadistill.objectives.taps import tapped
from deltadistill.preparation.street.clip import render_clip
from deltadistill.tasks.segmentation import Segmentation

CLASSES = table("street_8")
TASK = Segmentation(len(CLASSES))
SIZE, FEATURES = (96, 192), "final_layer.bn2"
TEACHER = {"width": 16, "stem_strides": [2, 1]}
DESIGNS: list[dict[str, Any]] = [
    {"width": width, "stem_strides": list(strides)}
    for width in (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16)
    for strides in ((2, 2), (2, 1))
]
Pictures = tuple[Tensor, Tensor]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--designs", type=int, default=len(DESIGNS), help="the first so many")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--clips", type=int, default=24, help="to learn from; a quarter as many to test on")
    arguments = parser.parse_args()
    learnt, tested = streets(1, arguments.clips), streets(2, max(arguments.clips // 4, 1))
    rows = scored(DESIGNS[: arguments.designs], learnt, tested, arguments.steps)
    for design, (macs, alike, miou) in zip(DESIGNS, rows, strict=False):
        print(f"{design!s:42} {macs / 1e6:7.1f} MMac  likeness {alike:8.4f}  mIoU {100 * miou:5.2f}")
    macs, alike, miou = map(list, zip(*rows, strict=True))
    print(f"Spearman's ρ of mIoU: with likeness {rank_correlation(alike, miou):.2f}, "
          f"with MACs {rank_correlation(macs, miou):.2f}")  # fmt: skip


def scored(
    designs: list[dict[str, Any]], learnt: Pictures, tested: Pictures, steps: int
) -> list[tuple[float, float, float]]:
    """MACs, likeness before and mIoU after, for each design."""
    teacher = built(TEACHER)
    before = seen(teacher, learnt[0][:16])
    train(teacher, learnt, steps)
    rows = []
    for design in tqdm(designs, desc="designs", unit="design"):
        student = built(design)
        own = seen(student, learnt[0][:16])
        macs = dd.count_macs(student, (3, *SIZE)).teacher
        train(student, learnt, steps, teacher=teacher)
        rows.append((float(macs), likeness(own[0], before[0], own[1], before[1]), miou(student, tested)))
    return rows


def built(options: dict[str, Any]) -> nn.Module:
    """An untrained network, of the same seed for every design."""
    torch.manual_seed(0)
    return models.build("ddrnet23_slim", classes=len(CLASSES), **options).eval()


@torch.no_grad()
def seen(network: nn.Module, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and last features of frames."""
    with tapped(network.eval(), [FEATURES]) as maps:
        logits = network(normalise(frames))
    return logits, maps[FEATURES][0]


def train(network: nn.Module, learnt: Pictures, steps: int, *, teacher: nn.Module | None = None) -> None:
    """Learn labels, and a teacher's logits, from batches of eight; in place."""
    frames, labels = learnt
    optimiser = torch.optim.AdamW(network.parameters(), 0.003)
    course = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.003, total_steps=max(steps, 2))
    draws = torch.Generator().manual_seed(0)
    network.train()
    for _ in range(steps):
        rows = torch.randint(len(frames), (8,), generator=draws)
        some = normalise(frames[rows])
        logits = network(some)
        loss = TASK.loss(logits, labels[rows])
        if teacher is not None:
            with torch.no_grad():
                taught = teacher(some)
            loss = loss + TASK.imitation_loss(logits, taught)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        course.step()
    network.eval()


@torch.no_grad()
def miou(network: nn.Module, tested: Pictures) -> float:
    """Mean IoU on frames that were not learnt from."""
    counted = TASK.metric()
    for frame, label in zip(*tested, strict=True):
        counted.update(TASK.predict(network(normalise(frame[None])))[0], label)
    return TASK.score(counted)


def streets(split: int, clips: int) -> Pictures:
    """Every fourth frame of generated clips, uint8 (F, 3, H, W), and their labels (F, H, W)."""
    lookup = label_ids_to_classes(CLASSES)
    shape = {"frames": 13, "height": SIZE[0], "width": SIZE[1], "noise": 0.03}
    drives = (list(render_clip((0, split, number), **shape)) for number in range(clips))
    rendered = [frame for drive in drives for frame in drive[::4]]
    pictures = torch.from_numpy(np.stack([frame.image for frame in rendered])).permute(0, 3, 1, 2)
    return pictures, torch.from_numpy(np.stack([lookup.take(frame.label_ids) for frame in rendered]))


if __name__ == "__main__":
    main()
