"""Batches read ahead of the step that takes them, in threads: decoding goes on while the network learns."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any

from torch.utils.data import Dataset


@contextmanager
def read_ahead(batches: Dataset, steps: Iterable[int], *, threads: int) -> Iterator[Iterator[Any]]:
    """Give an iterator over batches[step] for each of `steps`, in their order.

    threads: how many read at the same time; as many batches are kept ready, and one more. 0: each batch is
        read when its turn comes. Which it is decides no batch, since each is a function of its step alone.
    An error of reading is raised when its batch's turn comes. Threads have ended when the block has.
    """
    if threads == 0:
        yield (batches[step] for step in steps)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="reading")
    try:
        yield _in_order(pool, batches, iter(steps), threads + 1)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(pool: ThreadPoolExecutor, batches: Dataset, steps: Iterator[int], ready: int) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque(
        pool.submit(batches.__getitem__, step) for step in islice(steps, ready)
    )
    while waiting:
        batch = waiting.popleft().result()
        waiting.extend(pool.submit(batches.__getitem__, step) for step in islice(steps, 1))
        yield batch
