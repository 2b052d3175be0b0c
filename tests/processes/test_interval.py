"""When unfinished work is kept again."""

from types import SimpleNamespace

from deltadistill.processes.interval import Interval


def test_it_is_over_after_its_minutes_and_begins_anew(monkeypatch):
    now = 100.0
    monkeypatch.setattr("deltadistill.processes.interval.time", SimpleNamespace(monotonic=lambda: now))
    interval = Interval(2)
    now = 219.0
    assert not interval.is_over()
    assert interval.is_over(ahead=2)
    now = 221.0
    assert interval.is_over()
    interval.begin()
    assert not interval.is_over(ahead=119)
