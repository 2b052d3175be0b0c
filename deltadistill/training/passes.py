"""How a step takes its batch: shared among processes, and in passes of a limited number of frames."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.forward.clip_axes import all_frames
from deltadistill.processes.group import ALONE, Group
from deltadistill.tasks.task import Task

Batch = dict[str, Any]


@dataclass(frozen=True)
class Passes:
    """The processes that share a step's batch, and how many frames each takes at once (None: all it has).

    The gradients of all passes of all processes add up to that of the whole batch.
    """

    group: Group = ALONE
    frames_at_once: int | None = None

    def split(self, batch: Batch) -> list[Batch]:
        """Parts of this process's clips, at least one clip each, on its device; as many as in any process.

        batch: {"clip": (N, T, 3, H, W), "label": (N, T, …)}.
        """
        clips, frames = batch["clip"].shape[:2]
        count = clips if self.frames_at_once is None else max(1, self.frames_at_once // frames)
        parts = -(-clips // count)
        split = {name: values.tensor_split(parts) for name, values in batch.items()}
        return [
            {name: values[part].to(self.group.device, non_blocking=True) for name, values in split.items()}
            for part in range(parts)
        ]

    def share(self, clips: int, frames: int) -> range:
        """Which clips of a batch are this process's.

        Raises ValueError where a process would have none, or processes a different number of passes.
        """
        processes = self.group.size
        if clips < processes:
            raise ValueError(
                f"a batch of {clips} cannot be shared by {processes} processes; start {clips} at most "
                "(DELTADISTILL_PROCESSES is the number on each node)"
            )
        several = self.frames_at_once is not None and self.frames_at_once < -(-clips // processes) * frames
        if several and clips % processes:
            raise ValueError(
                f"training.frames_at_once needs the same number of clips in every process, and a batch of "
                f"{clips} does not divide among {processes}; set it to null, or start another number"
            )
        return self.group.share(clips)


def with_targets(parts: Sequence[Batch], task: Task, network: nn.Module) -> list[Batch]:
    """The parts with "target" beside their labels: what the loss compares with, frames as in `all_frames`."""
    return [part | {"target": task.targets(all_frames(part["label"]), network=network)} for part in parts]


def sums(passes: Passes, values: Iterable[Tensor]) -> Tensor:
    """Sum vectors, one of each pass, over passes and processes."""
    return passes.group.total(torch.stack(list(values)).sum(0))


@contextmanager
def buffers_kept(network: nn.Module) -> Iterator[None]:
    """Give every buffer its own value back afterwards: batch norm's statistics, of a pass that only looks."""
    before = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    finally:
        for buffer, value in before:
            buffer.copy_(value)
