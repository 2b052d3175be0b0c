"""Key, delta and per-frame time on a GPU, the training step in bf16, and the tests that need a GPU.

    python benchmarks/device.py --out results/device/name.json         # eight minutes at most, one GPU
    python benchmarks/device.py --device cpu --small                   # whether the script itself works

DDRNet-23-slim and -39 at 1024×2048, EfficientDet-D0 at 512, Faster R-CNN's features at 600×1000, for one
stream and for 16, in eager, compiled, and compiled into CUDA graphs. Weights are random. Every measurement
is written as soon as it is there; one that fails is written with its error and the next one goes on.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.machine import describe_machine
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.functions import DeltaFunctions, delta_functions
from deltadistill.forward.outputs import frame_outputs

NETWORKS = {
    "ddrnet23_slim": ({"classes": 19}, (1024, 2048)),
    "ddrnet39": ({"classes": 19}, (1024, 2048)),
    "efficientdet_d0": ({"classes": 30}, (512, 512)),
    "faster_rcnn_r101": ({"classes": 30}, (600, 1000)),
}
STREAMS = (1, 16)
WAYS = ("eager", "compiled", "cuda_graphs")
LENGTHS = (3, 10)


@dataclass
class Record:
    """Figures found so far; written after each, so that nothing is lost when time is up."""

    path: Path | None
    ends: float
    found: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, measure: Callable[[], Any]) -> None:
        """Take one measurement, unless the time is up."""
        if time.monotonic() > self.ends:
            self.found[name] = {"left_out": "the time was up"}
        else:
            try:
                self.found[name] = measure()
            except (RuntimeError, ValueError, ImportError) as error:  # out of memory above all
                self.found[name] = {"error": str(error).splitlines()[0][:300]}
        print(name, json.dumps(self.found[name]), flush=True)
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.found, indent=1) + "\n")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--small", action="store_true", help="an eighth of each side, one stream")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no GPU here (torch.cuda.is_available() is False); --device cpu tries the script")
    record = Record(args.out, ends=time.monotonic() + 60 * args.minutes)
    record.add("machine", lambda: about(args.device))
    if args.device == "cuda":
        record.add("tests", run_tests)
    record.add("training_step", lambda: training_step(args))
    for name, streams, way in cases(args):
        record.add(f"{name}, {streams} streams, {way}", lambda n=name, s=streams, w=way: times(n, s, w, args))


def cases(args) -> Iterator[tuple[str, int, str]]:
    """Small ones first."""
    for streams in STREAMS[:1] if args.small else STREAMS:
        for way in WAYS[:1] if args.small else WAYS:
            for name in NETWORKS:
                yield name, streams, way


def about(device: str) -> dict[str, Any]:
    """Processor, GPU and versions."""
    found = {**describe_machine(), "torch": torch.__version__}
    if device == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    return found


def run_tests() -> dict[str, Any]:
    """The tests marked cuda."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "tests"]
    done = subprocess.run(command, capture_output=True, text=True)
    return {"exit_status": done.returncode, "last_line": (done.stdout.strip().splitlines() or [""])[-1]}


def functions_of(name: str, streams: int, args) -> DeltaFunctions:
    """The functions of a delta network with every block compressed, on the device."""
    torch.manual_seed(0)
    options, (height, width) = NETWORKS[name]
    if args.small:
        height, width = height // 8, width // 8
    network = dd.convert(dd.models.build(name, **options).eval(), dd.LinearStudent(gamma=4))
    for block in delta_blocks(network).values():
        block.decide("compressed")
    network = network.to(args.device, memory_format=torch.channels_last)
    frames = torch.randn(streams, 3, height, width, device=args.device)
    return delta_functions(network, frames.to(memory_format=torch.channels_last))


def times(name: str, streams: int, way: str, args) -> dict[str, Any]:
    """Milliseconds of frame, key and delta, and the gain over the per-frame network run the same way."""
    functions = functions_of(name, streams, args)
    frame, maps = functions.example, tuple(functions.maps.values())
    calls = {"frame": (functions.frame, (frame,)), "key": (functions.key, (frame,))}
    calls["delta"] = (functions.delta, (frame, *maps))
    ready = {what: (made(function, way), given) for what, (function, given) in calls.items()}
    milliseconds = interleaved(ready, args)
    found = {what: round(value, 3) for what, value in milliseconds.items()}
    for length in LENGTHS:
        sequence = (milliseconds["key"] + (length - 1) * milliseconds["delta"]) / length
        found[f"speedup_{length}"] = round(milliseconds["frame"] / sequence, 3)
    return found | {"state_mb": functions.state_bytes / 1e6}


def made(function: nn.Module, way: str) -> Callable[..., Any]:
    """A function run in one of WAYS."""
    if way == "eager":
        return function
    mode = "reduce-overhead" if way == "cuda_graphs" else "default"
    return torch.compile(function, dynamic=False, mode=mode)


def interleaved(calls: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]], args) -> dict[str, float]:
    """Medians over rounds in which every call runs once, by the clock of the device."""
    samples: dict[str, list[float]] = {name: [] for name in calls}
    with torch.inference_mode():
        for number in range(3 + args.rounds):
            for name, (call, given) in calls.items():
                taken = milliseconds_of(call, given, args.device)
                if number >= 3:
                    samples[name].append(taken)
    return {name: float(np.median(each)) for name, each in samples.items()}


def milliseconds_of(call: Callable[..., Any], given: tuple[Any, ...], device: str) -> float:
    """Time of one call, waited for."""
    if device == "cuda":
        torch.cuda.synchronize()
    begun = time.perf_counter()
    call(*given)
    if device == "cuda":
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - begun)


def training_step(args) -> dict[str, Any]:
    """A label-free distillation step of DDRNet-23-slim in fp32 and in bf16, two pairs of frames."""
    height, width = (64, 128) if args.small else (512, 1024)
    torch.manual_seed(0)
    network = dd.convert(dd.models.build("ddrnet23_slim", classes=19).eval(), dd.LinearStudent(gamma=4))
    network = network.to(args.device)
    clip = torch.randn(2, 2, 3, height, width, device=args.device)
    calls = {
        name: (lambda dtype=dtype: step(network, clip, dtype, args.device), ())
        for name, dtype in (("fp32", None), ("bf16", torch.bfloat16))
    }
    samples = {name: [] for name in calls}
    for number in range(2 + max(3, args.rounds // 4)):
        for name, (call, given) in calls.items():
            taken = milliseconds_of(call, given, args.device)
            if number >= 2:
                samples[name].append(taken)
    return {name: round(float(np.median(each)), 2) for name, each in samples.items()}


def step(network: nn.Module, clip: torch.Tensor, dtype: torch.dtype | None, device: str) -> None:
    """Forward over clips and backward, without an optimiser."""
    network.zero_grad(set_to_none=True)
    with torch.autocast(device, dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        outputs = dd.forward_clip(network, clip, run=frame_outputs)
    outputs.float().square().mean().backward()


if __name__ == "__main__":
    main()
