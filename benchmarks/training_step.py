"""Time and memory of a distillation step, against a per-frame finetuning step on the same frames.

    python benchmarks/training_step.py --rounds 10

DDRNet-23-slim at full width, two pairs of frames of 256×512, one processor thread; students, search,
weights and optimiser as in params.yaml, OHEM as task loss. "search" is a step before the freeze, "settled"
one after it.

Time: the steps run in turns within one process, and the ratio is the median over the rounds of the ratio
within a round, so that a machine that slows down meanwhile changes little. Memory: each step runs twice in
a process of its own; its peak of resident memory (VmHWM in /proc/self/status, Linux only) less what was
resident before the first step, hence activations, gradients, the optimiser's state and workspace, as the
operating system sees them, without the network itself.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from deltadistill import models
from deltadistill.account import latency
from deltadistill.blocks.designs import shape_design
from deltadistill.conversion.convert import convert
from deltadistill.conversion.registry import SELECTORS
from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import equation_5
from deltadistill.objectives.setting import Setting
from deltadistill.pipeline import params as parameters
from deltadistill.pipeline.params import Distill
from deltadistill.pipeline.recipe_of_distillation import parameter_groups, start_gates
from deltadistill.pipeline.recipe_of_search import search_costs, search_course
from deltadistill.pipeline.training_run import TrainingRun, optimise
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training.single_frames import PerFrameTraining

CLASSES, PAIRS, SIZE = 19, 2, (256, 512)
LONG = 10**6  # steps of a training that these steps are the first of
FREEZE = {"search": LONG, "settled": 0}
PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--memory-of", choices=["per frame", *FREEZE], help="print this step's peak, in bytes"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory_of:
        print(peak_memory(arguments.memory_of))
        return
    memory = {name: memory_in_own_process(name) for name in ("per frame", *FREEZE)}
    times = measure_times(arguments.rounds)
    for name, peak in memory.items():
        ratio = float(np.median(times[name] / times["per frame"]))
        print(
            f"{name:10} {np.median(times[name]):7.0f} ms, x{ratio:.2f}; "
            f"{peak / 2**20:6.0f} MiB, x{peak / memory['per frame']:.2f}"
        )


def measure_times(rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of each step, round by round."""
    calls = {name: endless(trainee(name)) for name in ("per frame", *FREEZE)}
    return latency.measure(
        calls, runs=rounds, warmup=1, progress=lambda each: tqdm(each, desc="training step", unit="round")
    ).samples_ms


def memory_in_own_process(name: str) -> int:
    """Peak memory of a step, bytes, measured in a fresh process."""
    command = [sys.executable, __file__, "--memory-of", name]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_memory(name: str) -> int:
    """Peak of resident memory over two steps less what was there before, bytes."""
    step = endless(trainee(name))
    before = resident("VmRSS")
    step()
    step()
    return resident("VmHWM") - before


def resident(entry: str) -> int:
    """An entry of /proc/self/status, bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{entry}:\s+(\d+) kB", status, re.MULTILINE)[1])


def endless(training: PerFrameTraining | DistillTraining) -> Callable[[], object]:
    """A function that does the training's next step, always on the same frames."""
    batch, indices = frames(), iter(range(LONG))
    return lambda: training.step(next(indices), batch)


def frames() -> dict[str, Tensor]:
    """Pairs of neighbouring random frames with labels."""
    generator = torch.Generator().manual_seed(0)
    key = torch.randint(0, 200, (PAIRS, 1, 3, *SIZE), generator=generator)
    label = torch.randint(0, CLASSES, (PAIRS, 2, *SIZE), generator=generator)
    return {"clip": torch.cat([key, key + 20], 1).to(torch.uint8), "label": label.to(torch.uint8)}


def trainee(name: str) -> PerFrameTraining | DistillTraining:
    """The training that does the step `name`."""
    torch.manual_seed(0)
    settings = parameters.load(PARAMS).distill.model_copy(update={"steps": LONG})
    network = models.build("ddrnet23_slim", classes=CLASSES)
    task = Segmentation(CLASSES, name="ohem")
    if name == "per frame":
        groups = [(network.parameters(), settings.optimiser.learning_rate_teacher)]
        optimised = optimise(network, groups, settings, run=TrainingRun())
        return PerFrameTraining(optimised, task, tune_score=float, frozen_batch_norm=True)
    return distillation(network, task, settings, freeze=FREEZE[name])


def distillation(
    network: nn.Module, task: Segmentation, settings: Distill, *, freeze: int
) -> DistillTraining:
    """Delta distillation whose search goes on from the first step until `freeze`."""
    network = convert(
        network, shape_design(settings.students.design), SELECTORS.find(settings.students.where)
    )
    start_gates(network, logit=settings.search.initial_logit, temperature=settings.search.temperature)
    rates, loss = settings.optimiser, settings.loss
    groups = parameter_groups(network, rates)
    return DistillTraining(
        optimise(network, groups, settings, run=TrainingRun()),
        equation_5(Setting(network, torch.zeros(1, 3, *SIZE), SIZE, task), alpha=loss.alpha),
        beta=loss.beta,
        search=replace(search_course(settings.search, LONG), warmup=0, freeze=freeze),
        costs=search_costs(network, settings.search, size=(3, *SIZE)),
        seed=0,
        tune_score=float,
    )


if __name__ == "__main__":
    main()
