"""How all tests run: the order of their files, what Ctrl-C does, and what no test leaves to the next."""

import signal
from pathlib import Path

import pytest

from deltadistill.metrics.measures import MEASURES
from deltadistill.runtime import proving

_FIRST_FAILURE = proving._first_failure

# What a shell starts in the background ignores Ctrl-C, and so does all that this starts. Tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_measures_of_other_tests():
    """A test that has a task of its own makes a measure known; the next may have another of the same key."""
    before = dict(MEASURES)
    yield
    MEASURES.clear()
    MEASURES.update(before)


@pytest.fixture(autouse=True)
def engines_are_trusted(monkeypatch):
    """No process is started for an engine to prove itself in; tests of that use the next one."""
    monkeypatch.setattr(proving, "_first_failure", lambda *given: None)


@pytest.fixture
def engines_prove_themselves(engines_are_trusted, monkeypatch):
    """As for users: processes are started."""
    monkeypatch.setattr(proving, "_first_failure", _FIRST_FAILURE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole pipelines first, then everything that starts DVC or Snakemake, then the rest as it was.

    What takes minutes comes first, so that two processes of tests end at about the same time.
    """
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("pipeline"):
        return 0
    return 1 if "workflow" in Path(item.path).parts else 2
