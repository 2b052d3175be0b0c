"""What is said of the processor, from what systems say of theirs."""

from types import SimpleNamespace

import pytest

from deltadistill.account import machine

INTEL = (
    "processor : 0\nmodel name : First: 2 GHz\nflags : fpu avx2 fma amx_int8 avx512f\n\n"
    "processor : 1\nmodel name : Second\nflags : fpu sve\n\n"
)
ARM = "processor : 0\nFeatures : fp asimd sve2 i8mm\n\n"


def told(monkeypatch, text):
    def read_text():
        if text is None:
            raise FileNotFoundError
        return text

    monkeypatch.setattr(machine, "Path", lambda path: SimpleNamespace(read_text=read_text))
    monkeypatch.setattr(machine.platform, "processor", lambda: "from Python")
    found = machine.describe_processor()
    return found["processor"], found["features"]


@pytest.mark.parametrize(
    ("text", "processor", "features"),
    [
        (INTEL, "First: 2 GHz", ["avx2", "avx512", "amx_int8"]),
        (ARM, "from Python", ["neon", "i8mm", "sve2"]),
        ("", "from Python", []),
        (None, "from Python", []),
    ],
)
def test_a_processor_is_described_by_what_linux_says_of_its_first_core(
    monkeypatch, text, processor, features
):
    assert told(monkeypatch, text) == (processor, features)


def test_where_nobody_knows_it_is_unknown(monkeypatch):
    monkeypatch.setattr(machine.os, "cpu_count", lambda: None)
    told(monkeypatch, None)
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    found = machine.describe_processor()
    assert (found["processor"], found["logical_cores"]) == ("unknown", 1)


def test_usable_cores_are_those_that_the_process_may_run_on(monkeypatch):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 8)
    assert machine.usable_cores() == 3
    monkeypatch.delattr(machine.os, "sched_getaffinity")
    assert machine.usable_cores() == 8
    monkeypatch.setattr(machine.os, "cpu_count", lambda: None)
    assert machine.usable_cores() == 1
