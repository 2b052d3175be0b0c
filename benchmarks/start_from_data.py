"""Time of the start from data: students of lraspp_mobilenet_v3_large from 24 clips of 4 frames, 288×384.

    python benchmarks/start_from_data.py
    python benchmarks/start_from_data.py --against ../before --rounds 2 --clips 8

The start is told in seconds of the processor (other processes do not count) and as a multiple of the
network's own time on the same frames. `--against` names another checkout of the library, such as a git
worktree of an older commit: both run in turns, each in a process of its own, and the ratio is the median over
the rounds of the ratio within a round, so that a machine that slows down meanwhile changes little. How far
the two students' kernels differ is told too, on noise. One processor thread.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large
from tqdm import tqdm

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks

HERE = Path(__file__).resolve().parents[1]
STUDENTS = dd.LinearStudent(gamma=4, rank="min", initialisation="data")
CLOSE = 1e-4  # relative difference of kernels that are the same but for rounding


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, help="folder of another checkout of the library")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--keep", type=Path, help="measure here once, and write the kernels to this file")
    arguments = parser.parse_args()
    if arguments.keep:
        print(*measured(arguments.clips, arguments.keep))
        return
    checkouts = {"here": HERE, **({"against": arguments.against.resolve()} if arguments.against else {})}
    compare(checkouts, arguments)


def compare(checkouts: dict[str, Path], arguments: argparse.Namespace) -> None:
    """Measure the checkouts in turns."""
    times: dict[str, list[float]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        for _ in tqdm(range(arguments.rounds), desc="start from data", unit="round"):
            for name, checkout in checkouts.items():
                start_s, network_s = in_own_process(checkout, arguments.clips, Path(folder) / name)
                times[name].append(start_s)
                print(f"{name:8} {start_s:6.1f} s, x{start_s / network_s:.1f} of the network on the frames")
        if "against" in checkouts:
            ratio = float(np.median(np.array(times["against"]) / np.array(times["here"])))
            print(f"against / here: x{ratio:.2f}")
            kernels = [torch.load(Path(folder) / name) for name in checkouts]
            print(*told_differences(*kernels), sep="\n")


def in_own_process(checkout: Path, clips: int, kept: Path) -> list[float]:
    """Seconds of both, by the library in `checkout`."""
    command = [sys.executable, __file__, "--clips", str(clips), "--keep", str(kept)]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return [float(word) for word in done.stdout.split()]


def measured(clips: int, kept: Path) -> tuple[float, float]:
    """Seconds of the start and of the network on the same frames; keep the kernels."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=8).eval()
    key = nn.functional.interpolate(torch.rand(clips, 3, 18, 24), (288, 384), mode="bicubic")
    frames = key[:, None] + 0.2 * torch.rand(clips, 4, 3, 288, 384)
    begun = time.process_time()
    delta = dd.convert(network, STUDENTS, dd.inner_layers, clips=frames)
    start_s = time.process_time() - begun
    torch.save(kernels(delta), kept)
    begun = time.process_time()
    with torch.no_grad():
        for some in frames:
            network(some)
    return start_s, time.process_time() - begun


def kernels(delta: nn.Module) -> dict[str, Tensor]:
    """What each student does to one patch of noise, which tells its kernel."""
    torch.manual_seed(1)
    told = {}
    for name, block in delta_blocks(delta).items():
        noise = torch.randn(4, block.teacher.in_channels, 16, 16, dtype=torch.float64)
        told[name] = block.compressed.double()(noise).detach()
    return told


def told_differences(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """Lines about the blocks of layers with and without groups: differences relative to their norm."""
    found = {name: ((one[name] - other[name]).norm() / one[name].norm()).item() for name in one}
    same = sorted(difference for difference in found.values() if difference < CLOSE)
    far = {name: round(difference, 3) for name, difference in found.items() if difference >= CLOSE}
    return [
        f"{len(same)} of {len(found)} kernels agree to {same[-1]:.1e}" if same else "none",
        f"others: {far}",
    ]


if __name__ == "__main__":
    main()
