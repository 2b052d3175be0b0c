"""Engines that die, hang or raise, made up: each is a failure with a name, and the others go on."""

import os
import signal
import sys
import time

import pytest

import deltadistill as dd
from deltadistill.runtime import proving
from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.proving import failures, names_left, require_it_runs
from deltadistill.runtime.tensor_form import TensorForm

ENGINES = '''
"""Engines that go wrong, and one that does not; each notes the functions that are called."""

import os, signal, sys, time


def die(): os.kill(os.getpid(), signal.SIGSEGV)
def be_killed(): os.kill(os.getpid(), signal.SIGKILL)
def leave(): print("no memory for 3 MB", file=sys.stderr, flush=True); os._exit(7)
def hang(): time.sleep(60)
def refuse(): raise RuntimeError("operator Fold of layer 3")
def work(): print("printed by the engine", flush=True)


class Session:
    def __init__(self, does):
        self._does = does
    def frame(self, frame): self._does(); return []
    def key(self, frame, *, into=None): self._does(); return [], ()
    def delta(self, frame, maps): self._does(); return []


class Engine:
    def __init__(self, does, when="answers"): self._does, self._when = does, when
    def reason_against(self, graphs, *, precision, device): return None
    def open(self, graphs, *, threads, precision, device):
        if self._when == "opens": self._does()
        return Session(self._does)


class OfThisProcess(Engine):
    def reason_against(self, graphs, *, precision, device):
        return None if graphs.functions else "it runs functions"


class OnDelta(Engine):
    def open(self, graphs, **settings):
        session = Session(work)
        session.delta = lambda frame, maps: die()
        return session


DYING, KILLED, LEAVING, HANGING, REFUSING, WORKING = map(Engine, (die, be_killed, leave, hang, refuse, work))
OPENING, IN_PROCESS, LATER = Engine(die, "opens"), OfThisProcess(die), OnDelta(work)
'''
GRAPHS = Graphs(TensorForm(name="frame", shape=[1, 4, 4, 3], dtype="uint8"), (), ())


@pytest.fixture(autouse=True)
def engines(tmp_path, monkeypatch, engines_prove_themselves):
    (tmp_path / "faulty.py").write_text(ENGINES)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("faulty", None)


def names(*engines):
    return [(f"faulty:{engine}", "fp32") for engine in engines]


def test_each_that_dies_is_named_with_its_signal_or_code_and_the_others_still_prove_themselves():
    found = failures(GRAPHS, names("DYING", "WORKING", "OPENING", "LEAVING", "KILLED", "WORKING"))
    said = {engine.removeprefix("faulty:"): str(why) for (engine, _), why in found.items()}
    assert set(said) == {"DYING", "OPENING", "LEAVING", "KILLED"}
    assert "crashed by signal 11 (SIGSEGV)" in said["DYING"]
    assert "crashed by signal 11 (SIGSEGV)" in said["OPENING"]
    assert "exit code 7" in said["LEAVING"]
    assert "Its last words: no memory for 3 MB" in said["LEAVING"]
    assert "signal 9 (SIGKILL), as a system out of memory sends it" in said["KILLED"]
    assert all("another version of it may do" in each for each in said.values())


def test_one_that_raises_says_what():
    (why,) = failures(GRAPHS, names("REFUSING")).values()
    assert str(why) == "RuntimeError: operator Fold of layer 3"
    assert not why.is_late


def test_one_that_hangs_is_stopped_after_the_seconds_given_and_is_late():
    begun = time.monotonic()
    (why,) = failures(GRAPHS, names("HANGING"), seconds=1.5).values()
    assert time.monotonic() - begun < 30
    assert "did not answer within 2 s" in str(why)
    assert why.is_late


def test_only_the_functions_that_will_be_called_are_tried():
    assert not failures(GRAPHS, names("LATER"), functions=("frame",))
    assert failures(GRAPHS, names("LATER"), functions=("key", "delta"))


def test_engines_of_what_is_in_this_process_alone_are_taken_on_trust():
    graphs = Graphs(GRAPHS.frame, (), (), functions={"frame": lambda frame: ()})
    assert not failures(graphs, names("IN_PROCESS"))


def test_an_interruption_ends_the_process_in_which_an_engine_hangs(monkeypatch):
    started, start = [], proving._started
    monkeypatch.setattr(proving, "_started", lambda *given: started.append(start(*given)) or started[-1])

    def interrupted(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(proving, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        failures(GRAPHS, names("HANGING"))
    assert started[0].returncode == -signal.SIGKILL


def test_an_interruption_from_the_keyboard_does_not_reach_the_engine_first(monkeypatch):
    started, start = [], proving._started
    monkeypatch.setattr(proving, "_started", lambda *given: started.append(start(*given)) or started[-1])
    groups = []
    monkeypatch.setattr(proving, "wait", lambda *given, timeout: groups.append(os.getpgid(started[0].pid)))
    failures(GRAPHS, names("HANGING"))
    assert groups[0] != os.getpgid(0)


def test_where_all_failed_each_one_s_reason_is_said():
    with pytest.raises(ValueError, match=r"the engine 'faulty:DYING' does not run this in fp32: it crashed"):
        require_it_runs(GRAPHS, "faulty:DYING", threads=1, precision="fp32", device="cpu")
    failed = failures(GRAPHS, names("REFUSING"))
    with pytest.raises(ValueError, match="no engine can run this here: faulty:REFUSING: RuntimeError"):
        names_left(["faulty:REFUSING"], failed)


def test_a_runner_that_chooses_its_engine_leaves_out_the_one_that_dies(folder, monkeypatch, caplog, memory):
    monkeypatch.setitem(proving.ENGINES.entries, "openvino", "faulty:DYING")
    runner = dd.Runner(folder, threads=1)
    assert runner.choice.engine == "onnxruntime"
    assert "the engine 'openvino' is left out: it crashed by signal 11 (SIGSEGV)" in caplog.text
    assert memory.exists()


def test_times_are_not_remembered_where_an_engine_was_late(folder, monkeypatch, memory):
    late = {("openvino", "fp32"): proving.Failure("it did not answer", is_late=True)}
    monkeypatch.setattr("deltadistill.runtime.choice.failures", lambda *given, **options: late)
    assert dd.Runner(folder, threads=1).choice.engine == "onnxruntime"
    assert not memory.exists()
