"""Time of key and delta frames in every engine, against the fastest per-frame run of any of them.

    python benchmarks/runtime.py                                  # DDRNet-23-slim, 512×1024, one thread
    python benchmarks/runtime.py --logits eighth --only engines parts
    python benchmarks/runtime.py --state-mb 40                    # chosen by time within 40 MB a stream
    python benchmarks/runtime.py --own my_file.py:build --size 416x416 --gamma 8 --rank min --lengths 5 10 20
    python benchmarks/runtime.py --only nanodet --nanodet models/nanodet.json      # examples/nanodet.py
    python benchmarks/runtime.py --only two memory                # two runners at once; 20,000 frames

Weights are random, as they do not change the time. All engines run in turns within one process, and every
ratio is the median of the ratios within a round, so that a machine that slows down meanwhile changes little.
On a machine with other work, --clock processor counts the time that one thread really ran, and the ratios of
the least times, "undisturbed", are those of the quietest moments.
The bound is that of the multiply-accumulates: teacher against the mean of a sequence. "Parts": what the least
times of an engine's nodes add up to, also over the time of the whole. "Two": as many frames by two processes
at once as by each alone. "Memory": resident memory of a runner from frame 100 to the last.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

import deltadistill as dd
from deltadistill.account.latency import Timings, measure_turns
from deltadistill.account.machine import describe_machine
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.layer_times import LayerTimes
from deltadistill.exporting.running import Loaded, load
from deltadistill.runtime.registry import PROFILES

PARTS = ("engines", "parts", "nanodet", "two", "memory")
DELTAS = 3  # of a round
SMALL = (96, 192)
CLOCKS = {"wall": time.perf_counter_ns, "processor": time.process_time_ns}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--own", metavar="FILE:FUNCTION", help="a function that builds a network instead")
    parser.add_argument("--size", default="512x1024", help="height and width, pixels")
    parser.add_argument("--gamma", type=int, default=4)
    parser.add_argument("--rank", default="out", choices=("out", "min"))
    parser.add_argument("--multiple", type=int, default=16, help="ranks are multiples of this")
    parser.add_argument("--pointwise", action="store_true", help="convert convolutions of 1×1 too")
    parser.add_argument(
        "--logits", choices=("full", "eighth"), default="full", help="of a segmenter: at full size, or at 1/8"
    )
    parser.add_argument("--state-mb", type=float, help="choose layers by time within this memory of a stream")
    parser.add_argument("--nanodet", default=os.environ.get("NANODET"), help="where its nanodet.json lies")
    parser.add_argument("--lengths", type=int, nargs="+", default=[3, 10])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall")
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--engines", nargs="+", default=["onnxruntime", "openvino", "eager"])
    parser.add_argument("--frames", type=int, default=20_000, help="of the look at memory")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=["engines"])
    parser.add_argument("--out", type=Path, help="a JSON file for the figures too")
    args = parser.parse_args()
    found: dict[str, object] = {"machine": describe_machine(), "settings": vars(args) | {"out": None}}
    for part in args.only:
        found[part] = globals()[f"measure_{part}"](args)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(found, indent=1) + "\n")


def measure_engines(args) -> dict[str, object]:
    """The table of engines and precisions."""
    network, example = network_of(args)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    if args.state_mb is not None:
        choose_within_memory(network, example, args)
    table = dd.count_macs(network, tuple(example.shape[1:]))
    bounds = {length: table.teacher / table.amortised(length) for length in args.lengths}
    with load(network, example, run=RUNS[args.logits]) as loaded:
        state = loaded.graphs.state_bytes / 1e6
        print(f"{len(loaded.graphs.maps)} maps, {state:.1f} MB a stream (fp32); bounds " + speeds(bounds))
        return {
            "bounds": bounds,
            "state_mb": state,
            **{each: measured(loaded, args, each) for each in args.precisions},
        }


def measured(loaded: Loaded, args, precision: str) -> dict[str, object]:
    """Times of one precision, printed."""
    engines = [name for name in loaded.engines(precision=precision) if name in args.engines]
    if not engines:
        print(f"{precision}: no engine computes so here")
        return {}
    timings = timed(loaded, engines, args, precision)
    best = min(engines, key=lambda name: timings.median_ms(("frame", name)))
    found = {}
    print(f"\n{precision:12}  frame    key  delta (ms)   against {best}'s frames")
    for name in engines:
        times = {what: timings.median_ms((what, name)) for what in ("frame", "key", "delta")}
        gains = {
            length: timings.speedup(("frame", best), ("key", name), ("delta", name), length)
            for length in args.lengths
        }
        least = {length: undisturbed(timings, best, name, length) for length in args.lengths}
        columns = " ".join(f"{milliseconds:6.1f}" for milliseconds in times.values())
        print(f"{name:12} {columns}        {speeds(gains)}   undisturbed {speeds(least)}")
        p95 = timings.p95_ms(("delta", name))
        found[name] = {**times, "speedup": gains, "undisturbed": least, "p95_delta": p95}
    return found


def undisturbed(timings: Timings, best: str, name: str, length: int) -> float:
    """The speed-up by the least of all times of each function."""
    frame, key, delta = (
        float(timings.samples_ms[each].min()) for each in (("frame", best), ("key", name), ("delta", name))
    )
    return frame * length / (key + (length - 1) * delta)


def timed(loaded: Loaded, engines: list[str], args, precision: str) -> Timings:
    """Frames, key frames and delta frames of all engines in turns."""
    example, turns = loaded.functions.example, []
    for name in engines:
        running = loaded.running(name, threads=args.threads, precision=precision)
        _, maps = running.key(example)
        _, spare = running.key(example)
        turns.append([(("frame", name), lambda r=running: r.frame(example))])
        turns.append([(("key", name), lambda r=running, m=spare: r.key(example, into=m))])
        turns.append([(("delta", name), lambda r=running, m=maps: r.delta(example, m))] * DELTAS)
    return measure_turns(
        turns,
        runs=args.rounds,
        warmup=2,
        progress=lambda rounds: tqdm(rounds, desc=precision, leave=False),
        clock_ns=CLOCKS[args.clock],
    )


def choose_within_memory(network: nn.Module, example: torch.Tensor, args) -> None:
    """Decide the blocks by time, for the longest sequences."""
    times = layer_times(network, example, args, args.engines[0])
    print(dd.choose_by_time(network, times, state_mb=args.state_mb, check=False))


def layer_times(network: nn.Module, example: torch.Tensor, args, engine: str) -> LayerTimes:
    """Times of the layers in an engine."""
    return dd.measure_layers(
        network,
        example,
        engine=engine,
        threads=args.threads,
        length=max(args.lengths),
        run=RUNS[args.logits],
        seconds=args.rounds,
    )


def measure_parts(args) -> dict[str, object]:
    """The least times of nodes, with every block compressed, and what they make up of the whole."""
    network, example = network_of(args)
    found: dict[str, object] = {}
    for engine in (each for each in args.engines if each in PROFILES.entries):
        times = layer_times(network, example, args, engine)
        parts, shares = times.sum_of_parts, dict(times.parts_of_whole)
        gains = {length: parts.frame / parts.per_frame(length) for length in args.lengths}
        said = "  ".join(
            f"{name} {getattr(parts, name):.1f} ms (×{share:.2f})" for name, share in shares.items()
        )
        print(f"{engine}: nodes add up to {said} of the whole; {speeds(gains)}")
        found[engine] = {"milliseconds": asdict(parts), "of_the_whole": shares, "speedup": gains}
    return found


def measure_nanodet(args) -> dict[str, object]:
    """Engines and parts for NanoDet-g, where its weights are at hand."""
    if not args.nanodet:
        print("NanoDet-g is left out: --nanodet or the variable NANODET says where its nanodet.json lies")
        return {}
    os.environ["NANODET"] = args.nanodet
    example = Path(__file__).resolve().parents[1] / "examples" / "nanodet.py"
    of_nanodet = {"own": f"{example}:build", "size": "416x416", "gamma": 8, "rank": "min", "pointwise": True}
    others = {"lengths": [5, 10, 20], "logits": "full", "state_mb": None, "rounds": 4 * args.rounds}
    args = argparse.Namespace(**vars(args) | of_nanodet | others)
    return {"engines": measure_engines(args), "parts": measure_parts(args)}


def at_an_eighth(network: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Logits of a DDRNet as its head gives them; what enlarges them is then no part of the graphs."""
    found: list[torch.Tensor] = []
    hook = network.final_layer.register_forward_hook(lambda _, __, output: found.append(output))
    try:
        network(frames)
    finally:
        hook.remove()
    return found[0]


RUNS = {"full": None, "eighth": at_an_eighth}


def network_of(args) -> tuple[nn.Module, torch.Tensor]:
    """The delta network, and a frame for it."""
    torch.manual_seed(0)
    height, width = map(int, args.size.split("x"))
    plain = own(args.own) if args.own else dd.models.build("ddrnet23_slim", classes=19)
    inner = set(dd.inner_convolutions(plain))
    wide = dd.matching(lambda name, layer: name in inner and (args.pointwise or is_wide(layer)))
    design = dd.LinearStudent(gamma=args.gamma, rank=args.rank, multiple=args.multiple)
    network = dd.convert(plain.eval(), design, where=wide)
    return network, torch.randn(1, 3, height, width)


def is_wide(layer: nn.Module) -> bool:
    """Whether a layer's kernel is larger than 1×1: students of others save less than their maps cost."""
    return max(getattr(layer, "kernel_size", (1,))) > 1


def own(source: str) -> nn.Module:
    """Build the network of a function in a file."""
    path, _, function = source.partition(":")
    spec = importlib.util.spec_from_file_location("own_network", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, function)()


def speeds(gains: dict[int, float]) -> str:
    """Factors at sequence lengths, in words."""
    return "  ".join(f"T={length} ×{gain:.2f}" for length, gain in gains.items())


def measure_two(args) -> dict[str, float]:
    """Frames of two processes at once, against the sum of both alone."""
    with TemporaryDirectory() as folder:
        runner = export(args, Path(folder) / "runner")
        alone = [seconds_of(runner, 1, args.clock) for _ in range(2)]
        both = seconds_of(runner, 2, args.clock)
    ratio = both / sum(alone)
    print(f"two at once: {both:.2f} s, one after the other {sum(alone):.2f} s: ×{ratio:.2f}")
    return {"alone_s": sum(alone), "together_s": both, "ratio": ratio}


def seconds_of(runner: Path, processes: int, clock: str) -> float:
    """Time of so many processes, each running 300 frames: the slowest's, or the processor's of all."""
    running = [
        subprocess.Popen(
            [sys.executable, __file__, "--run", str(runner), "300"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(processes)
    ]
    told = [dict(zip(CLOCKS, map(float, each.communicate()[0].split()), strict=True)) for each in running]
    seconds = [each[clock] for each in told]
    return max(seconds) if clock == "wall" else sum(seconds)


def measure_memory(args) -> dict[str, float]:
    """Resident memory of a runner after 100 frames and after the last."""
    with TemporaryDirectory() as folder:
        runner = dd.Runner(export(args, Path(folder) / "runner"), engine="onnxruntime", threads=args.threads)
        frame = np.random.default_rng(0).standard_normal((1, 3, *SMALL)).astype(np.float32)
        seen = {}
        for number in tqdm(range(1, args.frames + 1), desc="memory", leave=False):
            runner(frame)
            if number in (100, args.frames):
                seen[number] = resident_mb()
    print("resident memory: " + ", ".join(f"{mb:.0f} MB after frame {number}" for number, mb in seen.items()))
    return {str(number): mb for number, mb in seen.items()}


def resident_mb() -> float:
    """Memory of this process (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def export(args, folder: Path) -> Path:
    """Write the network as a runner for small frames."""
    args.size = "x".join(map(str, SMALL))
    network, example = network_of(args)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    dd.export(network, folder, example=example, period=10)
    return folder


def run(folder: str, frames: str) -> None:
    """Run a runner alone in this process, and print its seconds."""
    runner = dd.Runner(folder, engine="onnxruntime")
    frame = np.zeros((1, 3, *SMALL), np.float32)
    for _ in range(20):
        runner(frame)
    begun = [now() for now in CLOCKS.values()]
    for _ in range(int(frames)):
        runner(frame)
    print(*((now() - then) / 1e9 for now, then in zip(CLOCKS.values(), begun, strict=True)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(*sys.argv[2:4])
    else:
        main()
