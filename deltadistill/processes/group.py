"""The processes that share one training or evaluation: sums over all of them, and each one's device.

Every sum has the same bits in every process, so that what is computed from sums alone stays alike. A process
alone is a group of one, for which a sum is the value itself.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from deltadistill.processes.launch import PeerLostError, is_launched

Item = TypeVar("Item")

PROCESSOR = torch.device("cpu")


@dataclass(frozen=True)
class Group:
    """Processes 0 … size − 1, of which this one is `rank`, on `device`."""

    rank: int = 0
    size: int = 1
    device: torch.device = PROCESSOR

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes files and shows progress."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Which of `count` things are this process's: every size-th, from its rank on."""
        return range(self.rank, count, self.size)

    def turns(self, batches: Sequence[Item]) -> Iterator[list[Item]]:
        """This process's batches in as many turns as in every process: one each, or none in the last.

        A batch stays whole, since its composition decides the last bits.
        """
        mine = [batches[index] for index in self.share(len(batches))]
        for turn in range(-(-len(batches) // self.size)):
            yield mine[turn : turn + 1]

    def total(self, values: Tensor) -> Tensor:
        """Sum over all processes, without gradient: a tensor of its own, like `values`."""
        summed = values.detach().clone()
        if self.size == 1:
            return summed
        summed = summed.to(self.device)
        _together(dist.all_reduce, summed)
        return summed.to(values.device)

    def differentiable_total(self, values: Tensor) -> Tensor:
        """Sum over all processes whose gradient is summed over all processes likewise."""
        return values if self.size == 1 else _Total.apply(values, self)

    def gathered(self, values: Tensor) -> Tensor:
        """The vectors of all processes, one after another; they may differ in length."""
        if self.size == 1:
            return values
        lengths = torch.zeros(self.size, dtype=torch.int64)
        lengths[self.rank] = len(values)
        lengths = self.total(lengths).tolist()
        padded = torch.zeros(max(lengths), dtype=values.dtype, device=self.device)
        padded[: len(values)] = values
        parts = [torch.empty_like(padded) for _ in lengths]
        _together(dist.all_gather, parts, padded)
        together = torch.cat([part[:length] for part, length in zip(parts, lengths, strict=True)])
        return together.to(values.device)

    def largest(self, number: int) -> int:
        """The largest of the numbers that the processes have."""
        if self.size == 1:
            return number
        found = torch.tensor(number, device=self.device)
        _together(dist.all_reduce, found, dist.ReduceOp.MAX)
        return int(found)

    def wait(self) -> None:
        """Return when all processes have come here."""
        self.largest(0)

    def of_first(self, value: Any) -> Any:
        """What the first process has for `value`: tensors on the processor and plain values."""
        if self.size == 1:
            return value
        held = [value if self.is_first else None]
        _together(dist.broadcast_object_list, held, 0)
        return held[0]

    def first_known(self, value: str | None) -> str | None:
        """The value of the first process that has one."""
        return next((known for known in self.all_of(value) if known is not None), None)

    def all_of(self, value: Any) -> list[Any]:
        """What each process has for `value`, by rank: anything that can be pickled."""
        values = [value] * self.size
        if self.size > 1:
            _together(dist.all_gather_object, values, value)
        return values

    @torch.no_grad()
    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the first one's values, in place."""
        if self.size == 1:
            return
        for tensor in tensors:
            sent = tensor.to(self.device)
            _together(dist.broadcast, sent, 0)
            tensor.copy_(sent)


ALONE = Group()


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return group.total(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.group.total(gradient), None


@contextmanager
def joined() -> Iterator[Group]:
    """Join the other processes that the launcher has started, if it has, for the time of the with statement.

    The device is the process's own GPU, or the processor where there is none.
    Raises ValueError where a node has fewer GPUs than processes.
    """
    device = _own_device()
    if not is_launched():
        yield Group(device=device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield Group(dist.get_rank(), dist.get_world_size(), device)
    dist.destroy_process_group()  # after an error the others may be gone, and this would wait for them


def _own_device() -> torch.device:
    gpus = torch.cuda.device_count()
    if not gpus:
        return PROCESSOR
    index = int(os.environ.get("LOCAL_RANK", "0"))
    if index >= gpus:
        raise ValueError(
            f"{os.environ['LOCAL_WORLD_SIZE']} processes on a node with {gpus} GPU(s); start one per GPU, or "
            "hide the GPUs with CUDA_VISIBLE_DEVICES= to compute on the processor"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _together(operation: Callable[..., Any], *arguments: Any) -> None:
    try:
        operation(*arguments)
    except RuntimeError as error:
        raise PeerLostError(f"another process ended before this one ({error})") from error


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights are; the processor for one without."""
    first = next(network.parameters(), None)
    return PROCESSOR if first is None else first.device
