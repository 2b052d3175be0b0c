"""What the sums over processes cost a training step.

    torchrun --nproc-per-node 2 benchmarks/processes.py

For delta distillation of DDRNet-23-slim at full width on one pair of frames of 256×512 per process, one
processor thread each: the median step alone, and the median of the sums that it needs once it is shared,
begun by all processes together: of the gradients, in one vector, and of a few numbers, about six times.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import count

import torch
import training_step

from deltadistill.processes import group as processes
from deltadistill.processes.group import Group

SMALL_SUMS = 6  # pixels and clips, energies, totals, agreement on signals; two more for hard pixels


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with processes.joined() as group:
        trainee = training_step.trainee("search")
        batch = {name: values[:1] for name, values in training_step.frames().items()}
        indices = count()
        step = median_ms(arguments.steps, lambda: trainee.step(next(indices), batch), group)
        weights = sum(p.numel() for p in trainee.network.parameters() if p.grad is not None)
        gradients = median_ms(20, lambda: group.total(torch.ones(weights)), group)
        small = median_ms(100, lambda: group.total(torch.ones(8, dtype=torch.float64)), group)
        if group.is_first:
            share = (gradients + SMALL_SUMS * small) / step
            print(
                f"{group.size} processes: a step {step:.0f} ms; {weights / 1e6:.1f} M gradients summed in "
                f"{gradients:.1f} ms, a few numbers in {small:.2f} ms: {share:.1%} of the step"
            )


def median_ms(runs: int, call: Callable[[], object], group: Group) -> float:
    """Median time of a call in this process, after one that does not count."""
    call()
    times = []
    for _ in range(runs):
        group.wait()
        begun = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


if __name__ == "__main__":
    main()
