"""Does the same work on many items, by several processes of this machine where they are asked for."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")


def spread_out(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, chunk: int = 1
) -> Iterator[Result]:
    """Yield what `work` returns for each item, in order, as soon as it is there.

    One worker is this process itself; for several, `work`, items and results must be picklable, and each
    takes `chunk` items at a time.
    """
    if workers == 1:
        yield from map(work, items)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork may inherit a locked thread pool
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        yield from pool.map(work, items, chunksize=chunk)
