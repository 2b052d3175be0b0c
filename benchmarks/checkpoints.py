"""What checkpoints cost a training, and what an interruption costs it.

    python benchmarks/checkpoints.py

Checkpoints: size, and the median seconds of taking, of writing and of loading one, for delta distillation of
three networks, the best weights so far included. A training stands still while one is taken; it is written in
the background. The share of a training that saves one at the default interval (training.checkpoint_minutes)
counts both, as if writing took the processor from the training all the while.

Interruptions: stages/distill.py at the toy size of experiments/smoke.yaml, in a copy of the working tree,
once to the end and once with SIGTERM at even distances and a new start after each. What an interruption
costs is the difference over their number: start of the process, imports, conversion, loading, and the step
that the signal waits for. From it follows how long a training must be for ten to cost less than 5 % of it.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from deltadistill import models
from deltadistill.blocks.linear import LinearStudent
from deltadistill.conversion.convert import convert
from deltadistill.conversion.registry import SELECTORS
from deltadistill.files import commented_yaml
from deltadistill.pipeline import params as parameters
from deltadistill.processes.checkpoint import Checkpoint
from deltadistill.training import optimiser as optimisers
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimiser import Course

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow"))
import smoke  # noqa: E402 - after the path that it lies on

NETWORKS = ("ddrnet23_slim", "ddrnet39", "hrnet_w18_small")
CLASSES, STEPS = 19, 400
PIPELINE = ("prepare_dataset@smoke", "pretrain_teacher@smoke-0")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="checkpoints per network")
    parser.add_argument("--interruptions", type=int, default=10)
    arguments = parser.parse_args()
    minutes = parameters.load(ROOT / "params.yaml").training.checkpoint_minutes
    for name in NETWORKS:
        size, taking, writing, loading = checkpoint_of(name, arguments.runs)
        share = (taking + writing) / 60 / minutes
        print(
            f"{name:16} {size / 2**20:5.0f} MiB, taken in {taking:.2f} s, written in {writing:.2f} s, "
            f"loaded in {loading:.2f} s; one in {minutes:g} minutes: {share:.2%} of a training"
        )
    cost = interruption_cost(arguments.interruptions)
    print(
        f"an interruption costs {cost:.1f} s; ten of them cost less than 5 % of a training of more than "
        f"{10 * cost / 0.05 / 60:.0f} minutes"
    )


def checkpoint_of(name: str, runs: int) -> tuple[int, float, float, float]:
    """Bytes of a checkpoint, and the median seconds of taking, writing and loading it."""
    network = models.build(name, classes=CLASSES)
    network = convert(network, LinearStudent(gamma=4), SELECTORS.find("inner_convolutions"))
    optimiser = optimisers.build("adamw", [(network.parameters(), 1e-3)], weight_decay=0.0, momentum=0.0)
    optimised = OptimisedNetwork(network, optimiser, Course(1, "constant"))
    optimised.step(0, [{"loss": sum(parameter.square().sum() for parameter in network.parameters())}])
    best = {key: value.clone() for key, value in network.state_dict().items()}
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        checkpoint = Checkpoint(Path(folder), minutes=1)
        saved = [
            (
                seconds(
                    lambda: checkpoint.save({"trainee": optimised.state(), "outcome": {"best_state": best}})
                ),
                seconds(checkpoint.wait),
            )
            for _ in range(runs)
        ]
        taking, writing = (statistics.median(column) for column in zip(*saved, strict=True))
        loading = statistics.median(seconds(checkpoint.load) for _ in range(runs))
        return checkpoint.path.stat().st_size, taking, writing, loading


def seconds(action) -> float:
    """Seconds that an action takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def interruption_cost(interruptions: int) -> float:
    """Seconds that one interruption adds to a distillation."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        smoke.copy_working_tree(folder)
        params = commented_yaml.load(folder / "params.yaml")
        params["distill"] |= {"steps": STEPS, "evaluate_every": STEPS}
        (folder / "params.yaml").write_text(commented_yaml.dump(params))
        for stage in PIPELINE:
            smoke.call(folder, ("dvc", "repro", "--single-item", stage))
        whole = distill(folder, None)
        shutil.rmtree(folder / ".checkpoints", ignore_errors=True)
        interrupted = 0.0
        for _ in range(interruptions):
            interrupted += distill(folder, whole / (interruptions + 1))
        return (interrupted + distill(folder, None) - whole) / interruptions


def distill(folder: Path, stop_after: float | None) -> float:
    """Seconds of one run of the stage, which is told to stop that long after its first step."""
    paths = {
        "data": "data/smoke",
        "teacher": "artifacts/smoke/seed0/pretrain_teacher/teacher.pt",
        "artifacts": "made",
        "results": "made",
    }
    arguments = [word for name, path in paths.items() for word in (f"--{name}", path)]
    command = [sys.executable, "stages/distill.py", "--training", "delta", "--seed", "0", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder), "DELTADISTILL_TRACKING": "off"}
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    if stop_after is None:
        _, said = process.communicate()
        assert process.returncode == 0, said
    else:
        while "step/s" not in process.stderr.read(80):
            pass
        time.sleep(stop_after)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
        assert process.returncode == 128 + signal.SIGTERM, said
    return time.monotonic() - began


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
