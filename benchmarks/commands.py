"""Commands that are to be quick or small: `run` until its first frame, `inspect` on sixteen networks, memory.

    python benchmarks/commands.py                       # all
    python benchmarks/commands.py --only inspect --networks ddrnet39 timm:resnet50
    python benchmarks/commands.py --runner runner/      # starts a runner of yours in place of a small one
    python benchmarks/commands.py --only inspect --before ../earlier     # in turns with an earlier checkout

Each command is a process of its own, as users start it. Seconds are those on the wall, then those of the
processor, which other work on the machine changes less. Weights are random: they do not change the time.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from deltadistill.video.writer import VideoWriter

PARTS = ("start", "inspect", "memory")
MOST = {"start": 2.0, "inspect": 10.0}  # seconds that they may take on two free cores
NETWORKS = (
    "ddrnet23_slim",
    "ddrnet23",
    "ddrnet39",
    "hrnet_w18_small",
    "efficientdet_d0",
    "faster_rcnn_r101",
    "torchvision:resnet50",
    "torchvision:mobilenet_v3_large",
    "torchvision:lraspp_mobilenet_v3_large",
    "torchvision:deeplabv3_resnet50",
    "torchvision:fasterrcnn_mobilenet_v3_large_fpn",
    "torchvision:ssdlite320_mobilenet_v3_large",
    "timm:efficientnet_b0",
    "timm:convnext_tiny",
    "timm:vit_small_patch16_224",
    "timm:regnety_016",
)
FRAME = (96, 192)
COMMAND = (sys.executable, "-m", "deltadistill")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--runner", type=Path, help="a runner's folder; a small one is made without it")
    parser.add_argument("--frames", type=int, default=20_000, help="of the look at the memory of run (20000)")
    parser.add_argument(
        "--before", type=Path, help="a checkout that inspect is compared with, network by network"
    )
    parser.add_argument("--times", type=int, default=3, help="that run is started (3)")
    args = parser.parse_args()
    for part in args.only:
        globals()[f"measure_{part}"](args)


def measure_start(args) -> None:
    """`run` on a video of one frame, with the engine named and with the one that is remembered."""
    with TemporaryDirectory() as folder:
        film = written(Path(folder) / "film.mp4", 1)
        runner = args.runner or small_runner(Path(folder) / "runner")
        for engine in ("onnxruntime", "auto"):
            line = ["run", str(runner), str(film), "--engine", engine, "--jsonl", f"{folder}/out.jsonl"]
            command(line)  # files of the disk are in memory, and the times of engines remembered
            for _ in range(args.times):
                told(f"run, engine {engine}", "start", *command(line))


def measure_inspect(args) -> None:
    """`inspect` on each network, at the size that it or its weights have, else at 512×1024."""
    for network in args.networks:
        line = ["inspect", network, "--json"]
        earlier = None if args.before is None else command(line, checkout=args.before)
        wall, processor = command(line)
        ratio = "" if earlier is None else f"{earlier[1]:>9.2f} s before, ×{earlier[1] / processor:.2f}"
        told(f"inspect {network}", "inspect", wall, processor, ratio)


def command(line: list[str], checkout: Path | None = None) -> tuple[float, float]:
    """Seconds on the wall and of the processor that a command takes, here or in another checkout."""
    where = (
        {}
        if checkout is None
        else {"cwd": checkout, "env": {**os.environ, "PYTHONPATH": str(checkout.resolve())}}
    )
    before, begun = os.times(), time.perf_counter()
    subprocess.run([*COMMAND, *line], check=True, stdout=subprocess.DEVNULL, **where)
    wall, after = time.perf_counter() - begun, os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


def told(what: str, part: str, wall: float, processor: float, more: str = "") -> None:
    """A line of the table."""
    late = "" if wall <= MOST[part] else f"  more than {MOST[part]:g} s"
    print(f"{what:<58}{wall:>7.2f} s{processor:>9.2f} s{more}{late}", flush=True)


def measure_memory(args) -> None:
    """Resident memory of `run` at every tenth of a long video, which it draws into another."""
    with TemporaryDirectory() as folder:
        film = written(Path(folder) / "film.mp4", args.frames)
        runner, lines = (
            args.runner or small_runner(Path(folder) / "runner", width=8),
            Path(folder) / "out.jsonl",
        )
        line = ["run", str(runner), str(film), "--engine", "onnxruntime", "--jsonl", str(lines)]
        process = subprocess.Popen([*COMMAND, *line, "-o", f"{folder}/out.mp4"], stderr=subprocess.DEVNULL)
        print("resident memory of run after so many frames:")
        seen = 0
        while process.poll() is None:
            count = lines.read_bytes().count(b"\n") if lines.exists() else 0
            if count >= seen + args.frames // 10:
                seen = count
                print(f"{count:>10}{resident_mb(process.pid):>9.0f} MB", flush=True)
            time.sleep(0.2)


def resident_mb(number: int) -> float:
    """Memory of a process (Linux)."""
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0) / 1024


def written(path: Path, frames: int) -> Path:
    """A video of so many frames, whose level changes."""
    with VideoWriter(path) as writer:
        for number in range(frames):
            writer.write(np.full((*FRAME, 3), number % 250, np.uint8), number / 25)
    return path


def small_runner(folder: Path, width: int = 32) -> Path:
    """A runner of DDRNet-23-slim, made in a process of its own: this one needs no torch."""
    code = (
        "import torch, deltadistill as dd\n"
        f"network = dd.models.build('ddrnet23_slim', classes=19, width={width}).eval()\n"
        "delta = dd.deploy(dd.convert(network, dd.LinearStudent(gamma=4), dd.inner_convolutions))\n"
        f"example = torch.zeros(1, *{FRAME}, 3, dtype=torch.uint8)\n"
        f"dd.export(delta, {json.dumps(str(folder))}, example=example, pictures=dd.PictureForm({FRAME}))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    return folder


if __name__ == "__main__":
    main()
