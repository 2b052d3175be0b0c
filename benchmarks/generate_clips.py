"""How fast street clips are generated, files included, on one core; and how hard and how exact they are.

    python benchmarks/generate_clips.py --clips 24

Prints frames per second of several rounds, the mIoU that copied true labels keep at growing distance, the
agreement of labels warped by the exact flow, and the share of each class.
"""

import argparse
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from deltadistill.data.label_table import label_ids_to_classes, table
from deltadistill.preparation.street.clip import RenderedFrame, render_clip
from deltadistill.preparation.street.dataset import write_street

CLASSES = table("street_8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--height", type=int, default=96)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print_speed(arguments)
    size = {"frames": arguments.frames, "height": arguments.height, "width": arguments.width}
    clips = [list(render_clip((0, 2, number), **size, noise=0)) for number in range(arguments.clips)]
    print_difficulty(clips)
    print_exactness(clips)


def print_speed(arguments: argparse.Namespace) -> None:
    """Frames per second of wall and of processor time, one process, into a fresh folder."""
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            wall, processor = time.perf_counter(), time.process_time()
            write_street(
                Path(folder), {"train": 8}, frames=arguments.frames, height=arguments.height,
                width=arguments.width, seed=0, noise=0.03, workers=1,
            )  # fmt: skip
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            frames = 8 * arguments.frames
        print(f"{frames / wall:6.0f} frames/s of wall time, {frames / processor:6.0f} of processor time")


def print_difficulty(clips: list[list[RenderedFrame]]) -> None:
    """mIoU of true labels copied over a distance, pooled over the clips."""
    lookup = label_ids_to_classes(CLASSES)
    labels = np.stack([[lookup.take(frame.label_ids) for frame in clip] for clip in clips]).astype(np.int64)
    count = len(CLASSES)
    share = np.bincount(labels.ravel(), minlength=count) / labels.size
    named = zip(CLASSES, share, strict=True)
    print("share of pixels:", ", ".join(f"{entry.name} {100 * part:.1f}" for entry, part in named))
    for distance in (1, 2, 4, 7, 9):
        if distance >= labels.shape[1]:
            break
        pairs = labels[:, :-distance] * count + labels[:, distance:]
        matrix = np.bincount(pairs.ravel(), minlength=count * count).reshape(count, count)
        iou = np.diag(matrix) / (matrix.sum(0) + matrix.sum(1) - np.diag(matrix))
        print(f"labels copied over {distance}: {100 * iou.mean():.1f} mIoU;", (100 * iou).round().astype(int))


def print_exactness(clips: list[list[RenderedFrame]]) -> None:
    """Share of valid pixels whose label equals the warped one of the frame before; share of valid pixels."""
    agreeing = valid = pixels = 0
    for clip in clips:
        for before, now in pairwise(clip):
            height, width = now.valid.shape
            flow = now.flow.astype(np.float16).astype(np.float32)  # as stored
            column = np.rint(np.arange(width)[None, :] + flow[..., 0]).clip(0, width - 1).astype(int)
            row = np.rint(np.arange(height)[:, None] + flow[..., 1]).clip(0, height - 1).astype(int)
            agreeing += (before.label_ids[row, column] == now.label_ids)[now.valid].sum()
            valid += now.valid.sum()
            pixels += now.valid.size
    print(f"warped labels agree on {100 * agreeing / valid:.2f} % of the valid {100 * valid / pixels:.1f} %")


if __name__ == "__main__":
    main()
