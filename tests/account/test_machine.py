"""What is said of the processor that was measured."""

from types import SimpleNamespace

import pytest

from deltadistill.account import machine
from deltadistill.account.machine import describe_machine, features, usable_cores


def test_the_machine_is_described_without_naming_it():
    described = describe_machine()
    assert set(described) == {
        *("processor", "architecture", "logical_cores", "usable_cores"),
        *("vector_instructions", "features", "system"),
    }
    assert 1 <= described["usable_cores"] == usable_cores() <= described["logical_cores"]


def test_the_instruction_sets_that_decide_are_found_among_a_processors_flags():
    x86 = "fpu sse avx avx2 avx512f avx512bw avx512_bf16 amx_bf16 amx_tile amx_int8 avx512_vnni"
    assert features(x86) == ["avx2", "avx512", "avx512_vnni", "avx512_bf16", "amx", "amx_bf16", "amx_int8"]
    assert features("fp asimd evtstrm aes asimddp sve i8mm bf16") == [
        "neon",
        "dotprod",
        "i8mm",
        "bf16",
        "sve",
    ]
    assert features("") == []


def test_an_older_processor_is_not_taken_for_a_newer_one():
    assert features("avx2_like xavx512f avx") == []


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
