"""Steps in a row, each in a thread of its own, with the time that each has spent working."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from deltadistill.video.ahead import Ahead

Step = Callable[[Any], Any]


class Pipelined:
    """Items that go through steps in order; while one is in a step, the next is in the step before it.

    steps: by name. ahead: items that wait between two steps at most. Memory is bounded by their number, and
    an error of any step is raised where the results are taken.
    `spent` has the seconds of work by step, and of `first`, the name of what makes the items.
    """

    def __init__(
        self, items: Iterable[Any], steps: dict[str, Step], *, first: str = "reading", ahead: int = 2
    ):
        self.spent: dict[str, float] = dict.fromkeys([first, *steps], 0.0)
        self._threads: list[Ahead[Any]] = [Ahead(self._made(items, first), ahead=ahead, name=first)]
        for name, step in steps.items():
            self._threads.append(Ahead(self._through(self._threads[-1], name, step), ahead=ahead, name=name))

    def __iter__(self) -> Iterator[Any]:
        """Take the results in order."""
        return iter(self._threads[-1])

    def close(self) -> None:
        """End all threads, from the first step to the last."""
        for thread in self._threads:
            thread.close()

    def __enter__(self) -> "Pipelined":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _made(self, items: Iterable[Any], name: str) -> Iterator[Any]:
        iterator = iter(items)
        try:
            while True:
                begun = time.perf_counter()
                try:
                    item = next(iterator)
                except StopIteration:
                    return
                self.spent[name] += time.perf_counter() - begun
                yield item
        finally:
            if hasattr(iterator, "close"):
                iterator.close()

    def _through(self, items: Iterable[Any], name: str, step: Step) -> Iterator[Any]:
        for item in items:
            begun = time.perf_counter()
            made = step(item)
            self.spent[name] += time.perf_counter() - begun
            yield made
