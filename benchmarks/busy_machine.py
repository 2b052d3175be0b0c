"""What one busy process beside it costs a training on all cores, by how long its threads spin.

    python benchmarks/busy_machine.py --rounds 10

A step is that of the street network (params.yaml) at its own batch: per-frame training, or distillation. A
thread that has done its part of an operation waits for the others: it spins for so many rounds as
GOMP_SPINCOUNT says (libgomp, which PyTorch carries on Linux; 300000 by default), and then sleeps; "watched"
is what stages do (deltadistill/processes/spinning.py). Each setting is a process of its own. They take
turns; in a turn one does its steps alone, and then again beside an endless loop of lowest priority, started
in a session of its own as from another terminal; before the latter a step that does not count.

Whatever else runs makes a turn worthless. So a turn waits for a quiet moment, --patience seconds at most, and
is left out where other processes took more than --others of a core meanwhile; how many were is printed. On a
machine that others use, --outweigh (root; Linux that groups processes by session) gives the settings and the
loop 87 times the share of any other session; then raise --others, as what sleeps leaves them its core.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from deltadistill.processes.spinning import watch_spinning

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
CLASSES, SIZE = 8, (96, 192)
LONG = 10**6  # steps of a training that these steps are the first of
LOOK_S = 0.2  # between two looks at what others do
DEFAULT, WATCHED = "default", "watched"
SETTINGS: dict[str, dict[str, str]] = {
    DEFAULT: {},
    **{f"spin {count}": {"GOMP_SPINCOUNT": str(count)} for count in (100000, 30000, 10000, 3000, 1000, 300)},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
    WATCHED: {},
}
BUSY = ("nice", "-n", "19", "sh", "-c", "while kill -0 $0 2> /dev/null; do :; done")  # ends with this process
WHERE = ("alone", "beside a busy process")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10, help="turns of each setting")
    parser.add_argument("--steps", type=int, default=5, help="steps in a turn, alone and beside")
    parser.add_argument("--kind", choices=["per frame", "distill"], default="per frame")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--others", type=float, default=0.1, help="cores that other processes may take")
    parser.add_argument("--patience", type=float, default=60, help="seconds that a turn waits for quiet")
    parser.add_argument("--outweigh", action="store_true", help="leave other sessions next to nothing")
    parser.add_argument("--worker", action="store_true", help="do as many steps as each line of stdin says")
    parser.add_argument("--watched", action="store_true", help="of a worker: as stages do")
    arguments = parser.parse_args()
    if arguments.worker:
        if arguments.watched:
            watch_spinning()
        work(arguments.kind)
        return
    if arguments.outweigh:
        outweigh(os.getpid())
    workers = {name: Worker(arguments.kind, name) for name in arguments.settings}
    try:
        show(measure(workers, arguments), arguments)
    finally:
        for worker in workers.values():
            worker.process.kill()


class Worker:
    """A process that does steps with its own setting of OpenMP."""

    def __init__(self, kind: str, name: str):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", "--kind", kind, *["--watched"][: name == WATCHED]],
            env=kept | SETTINGS[name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.steps(2)

    def steps(self, number: int) -> float:
        """Do steps; the milliseconds of one of them."""
        began = time.monotonic()
        print(number, file=self.process.stdin, flush=True)
        self.process.stdout.readline()
        return 1000 * (time.monotonic() - began) / number


def measure(workers: Mapping[str, Worker], arguments: argparse.Namespace) -> Mapping[tuple, list[float]]:
    """Milliseconds of a step by (setting, alone or beside), turn by turn; NaN where others took too much."""
    times = defaultdict(list)
    for _ in range(arguments.rounds):
        for name, worker in workers.items():
            wait_for_quiet(arguments)
            with taken_by_others() as others:
                alone = worker.steps(arguments.steps)
            times[name, WHERE[0]].append(alone if others() <= arguments.others else np.nan)
            with endless_loop(weighty=arguments.outweigh):
                worker.steps(1)
                with taken_by_others() as others:
                    beside = worker.steps(arguments.steps)
            times[name, WHERE[1]].append(beside if others() <= arguments.others else np.nan)
            print(f"{name}: {alone:.0f} ms, {beside:.0f} ms beside", file=sys.stderr)
    return times


def show(times: Mapping[tuple, list[float]], arguments: argparse.Namespace) -> None:
    """Print each setting's step, and its ratio to the default alone."""
    unit = np.nanmedian(times[DEFAULT, WHERE[0]])
    for (name, where), taken in sorted(times.items(), key=lambda entry: WHERE.index(entry[0][1])):
        kept = [milliseconds for milliseconds in taken if not np.isnan(milliseconds)]
        low, middle, high = np.quantile(kept, [0.1, 0.5, 0.9]) if kept else [np.nan] * 3
        print(
            f"{arguments.kind}, {where}: {name:12} {middle:7.1f} ms ({low:.1f} to {high:.1f}), "
            f"x{middle / unit:.2f}; {len(kept)} of {len(taken)} turns"
        )


def wait_for_quiet(arguments: argparse.Namespace) -> None:
    """Until others take little, or patience ends."""
    ends = time.monotonic() + arguments.patience
    while time.monotonic() < ends:
        with taken_by_others() as others:
            time.sleep(LOOK_S)
        if others() <= arguments.others:
            return


@contextmanager
def taken_by_others() -> Iterator[Callable[[], float]]:
    """Afterwards, how many cores all processes took that are neither this one nor below it."""
    before, began = _of_others(), time.monotonic()
    after: list[float] = []
    yield lambda: after[0]
    after.append((_of_others() - before) / (time.monotonic() - began))


def _of_others() -> float:
    """Seconds of processor time so far of all processes but this one and those below it."""
    mine = psutil.Process()
    below = sum(sum(process.cpu_times()[:2]) for process in mine.children(recursive=True))
    whole = psutil.cpu_times()
    return whole.user + whole.nice + whole.system - below - sum(mine.cpu_times()[:2])


@contextmanager
def endless_loop(*, weighty: bool) -> Iterator[None]:
    """A process that takes all that it can get of a core."""
    process = subprocess.Popen([*BUSY, str(os.getpid())], start_new_session=True)
    if weighty:
        time.sleep(LOOK_S)  # until it has its session
        outweigh(process.pid)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def outweigh(process: int) -> None:
    """Give the session of a process the largest share of the cores."""
    Path(f"/proc/{process}/autogroup").write_text("-20")


def work(kind: str) -> None:
    """Do as many steps as each line of stdin says, and answer."""
    step = endless(kind)
    for line in sys.stdin:
        for _ in range(int(line)):
            step()
        print("done", flush=True)


def endless(kind: str) -> Callable[[], object]:
    """A function that does the training's next step, always on the same frames."""
    import torch

    from deltadistill import models
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline.training_run import TrainingRun, optimise
    from deltadistill.tasks.segmentation import Segmentation
    from deltadistill.training.single_frames import PerFrameTraining

    torch.manual_seed(0)
    params = parameters.load(PARAMS)
    network = models.build(params.model.name, classes=CLASSES, **params.model.options)
    task = Segmentation(CLASSES)
    if kind == "distill":
        from training_step import distillation

        settings, frames = params.distill.model_copy(update={"steps": LONG}), params.distill.clip_length
        training = distillation(network, task, settings, freeze=LONG)
    else:
        settings, frames = params.pretrain_teacher.model_copy(update={"steps": LONG}), 1
        groups = [(network.parameters(), settings.optimiser.learning_rate)]
        training = PerFrameTraining(
            optimise(network, groups, settings, run=TrainingRun()), task, tune_score=float
        )
    shape = (settings.batch, frames)
    batch = {
        "clip": torch.randint(0, 200, (*shape, 3, *SIZE), dtype=torch.uint8),
        "label": torch.randint(0, CLASSES, (*shape, *SIZE), dtype=torch.uint8),
    }
    indices = iter(range(LONG))
    return lambda: training.step(next(indices), batch)


if __name__ == "__main__":
    main()
