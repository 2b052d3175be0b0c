"""An acceleration goes on where an engine dies, hangs or raises on a trial, and says which and how."""

import sys
from dataclasses import replace

import pytest
from acceleration.test_accelerate import ONE, Times, run

from deltadistill.acceleration import budget, delta_trials, fill_trials, kept
from deltadistill.acceleration import course as courses
from deltadistill.acceleration import networks as networks_module
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.sessions import NoEngineError
from deltadistill.runtime import proving

ENGINES = '''
"""ONNX Runtime, but for what goes wrong."""

import os, signal, time

from deltadistill.runtime.onnxruntime_engine import OnnxRuntime


class Faulty(OnnxRuntime):
    def __init__(self, on, does): self._on, self._does = on, does
    def open(self, graphs, **settings):
        session = super().open(graphs, **settings)
        setattr(session, self._on, lambda *given, **named: self._does())
        return session


def refuse(): raise RuntimeError("operator Fold of layer 3")


DYING = Faulty("frame", lambda: os.kill(os.getpid(), signal.SIGSEGV))
ON_KEY = Faulty("key", os.abort)
HANGING = Faulty("frame", lambda: time.sleep(600))
REFUSING = Faulty("delta", refuse)
'''


@pytest.fixture(autouse=True)
def faulty(tmp_path, monkeypatch, engines_prove_themselves):
    """Such engines, one design, and times that are said."""
    (tmp_path / "faulty.py").write_text(ENGINES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(courses, "DESIGNS", ONE)
    for module in (fill_trials, delta_trials):
        monkeypatch.setattr(module, "way_times", lambda *given, **options: Times())
    monkeypatch.setattr("deltadistill.acceleration.accelerate.runner_speedup", lambda *given, **options: 1.3)
    yield
    sys.modules.pop("faulty", None)


def with_engines(case, *names, **changes):
    return replace(case, asked=0.0, engines=tuple(names), **changes)


def test_engines_that_die_or_hang_on_the_per_frame_network_are_named_and_the_search_goes_on(
    case, tmp_path, monkeypatch
):
    monkeypatch.setattr(budget, "_OPENING", 20.0)
    monkeypatch.setattr(budget, "_OF_LEFT", 0.0)
    told = []
    case = with_engines(case, "faulty:DYING", "onnxruntime", "faulty:HANGING")
    outcome = run(case, tmp_path / "runner", tell=told.append)
    assert outcome.choice.is_faster
    ended = {trial.engine: trial.ended for trial in outcome.trials if trial.kind == "per frame"}
    assert "crashed by signal 11 (SIGSEGV)" in ended["faulty:DYING"]
    assert "did not answer within 20 s" in ended["faulty:HANGING"]
    assert ended["onnxruntime"] == ""
    assert any(line.startswith("per frame, faulty:DYING fp32: it crashed by signal 11") for line in told)
    page = (tmp_path / "runner" / "report.html").read_text()
    assert "per frame, faulty:DYING fp32: it crashed by signal 11 (SIGSEGV)" in page


def test_engines_that_fail_on_the_delta_network_alone_leave_it_to_the_others(case, tmp_path):
    case = with_engines(case, "faulty:ON_KEY", "faulty:REFUSING", "onnxruntime")
    outcome = run(case, tmp_path / "runner")
    taken = outcome.choice.taken.trial
    assert (taken.kind, taken.engine) == ("delta", "onnxruntime")
    ended = {trial.engine: trial.ended for trial in outcome.trials if trial.kind == "delta" and trial.ended}
    assert "crashed by signal 6 (SIGABRT)" in ended["faulty:ON_KEY"]
    assert ended["faulty:REFUSING"] == "RuntimeError: operator Fold of layer 3"
    assert kept.recall(tmp_path / "runner", kept.question_of(case)) is not None


def test_a_delta_network_that_no_engine_runs_is_a_trial_that_ended(case, tmp_path):
    outcome = run(with_engines(case, "faulty:ON_KEY"), tmp_path / "runner")
    assert outcome.choice.taken.trial.kind in ("per frame", "students")  # neither of which has key frames
    (trial,) = [trial for trial in outcome.trials if trial.kind == "delta"]
    assert "no engine can run the network here: faulty:ON_KEY: it crashed by signal 6" in trial.ended


def test_where_no_engine_runs_the_network_the_signal_is_in_the_error(case, tmp_path):
    with pytest.raises(NoEngineError, match=r"faulty:DYING: it crashed by signal 11 \(SIGSEGV\)"):
        run(with_engines(case, "faulty:DYING"), tmp_path / "runner")


def test_students_of_an_earlier_call_prove_themselves_again_before_they_are_written(
    case, tmp_path, monkeypatch
):
    monkeypatch.setattr(proving, "_first_failure", lambda *given: None)
    case = with_engines(case, "onnxruntime")
    assert run(case, tmp_path / "runner").choice.is_faster

    def fails(*given):
        raise NoEngineError("γ 4: it crashed by signal 11")

    monkeypatch.setattr(networks_module, "require_trial_runs", fails)
    told = []
    again = run(case, tmp_path / "runner", tell=told.append)
    assert not again.choice.is_faster
    assert "the per-frame network is written instead: γ 4: it crashed by signal 11" in told


def test_a_quarter_of_the_time_left_is_for_an_opening_and_twenty_seconds_at_least():
    now = iter([0.0, 100.0, 870.0])
    time = Budget(900, clock=lambda: next(now))
    assert time.for_an_opening() == 200
    assert time.for_an_opening() == 20
