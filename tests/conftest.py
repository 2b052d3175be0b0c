"""How all tests run: the order of their files, and what Ctrl-C does."""

import signal
from pathlib import Path

import pytest

# What a shell starts in the background ignores Ctrl-C, and so does all that this starts. Tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole pipelines first, then everything that starts DVC or Snakemake, then the rest as it was.

    What takes minutes comes first, so that two processes of tests end at about the same time.
    """
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("pipeline"):
        return 0
    return 1 if "workflow" in Path(item.path).parts else 2
