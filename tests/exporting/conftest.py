"""Times of scripted engines go by on a clock of their own."""

import pytest
import scripted_engines

from deltadistill.exporting import function_times


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(function_times, "_clock_ns", scripted_engines.CLOCK)
