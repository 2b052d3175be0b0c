"""What is spent stays within what is given: a clock that goes on with the work that is done."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from acceleration.test_accelerate import ONE, Times

from deltadistill.acceleration import accelerate as accelerating
from deltadistill.acceleration import baseline, delta_trials, fill_trials, learning, scoring, ways
from deltadistill.acceleration import course as courses
from deltadistill.acceleration.accelerate import accelerate
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.learning import TakenBackError, distilled
from deltadistill.acceleration.trial import NO_TIME


class Work:
    """Seconds that work takes, which is all that lets the time pass."""

    def __init__(self, monkeypatch):
        self.now, self._patch = 0.0, monkeypatch.setattr

    def __call__(self):
        return self.now

    def takes(self, owner, name, seconds):
        """Let a function take so long from now on."""
        does = getattr(owner, name)

        def done(*given, **options):
            self.now += seconds
            return does(*given, **options)

        self._patch(owner, name, done)


class Slow(Times):
    def parts_ms(self, name, fill=None):
        return dict.fromkeys(super().parts_ms(name, fill), 1000.0)


@pytest.fixture
def work(monkeypatch):
    """A second for a frame, two for the graphs of a network; measuring takes none."""
    work = Work(monkeypatch)
    work.takes(ways.PerFrame, "computed", 1.0)
    work.takes(ways.Filled, "next_one", 1.0)
    work.takes(ways.Delta, "_computed", 1.0)
    work.takes(scoring.OfRunner, "next_one", 1.0)
    work.takes(courses, "load", 2.0)
    monkeypatch.setattr(courses, "DESIGNS", ONE)
    monkeypatch.setattr(courses, "distilled", lambda *given, **options: (0, {}))
    monkeypatch.setattr(baseline, "frame_times", lambda ways, **options: dict.fromkeys(ways, 1000.0))
    for module in (fill_trials, delta_trials):
        monkeypatch.setattr(module, "way_times", lambda *given, **options: Slow())
    monkeypatch.setattr(accelerating, "runner_speedup", lambda *given, **options: 1.3)
    return work


@pytest.mark.parametrize("seconds", [30.0, 60.0])
def test_a_call_ends_within_its_time_however_long_frames_take(case, tmp_path, work, seconds):
    outcome = accelerate(replace(case, asked=0.0), tmp_path / "runner", budget=Budget(seconds, clock=work))
    assert work.now <= seconds + 2  # a frame of the runner, and its reference
    assert outcome.tested.frames > 1
    assert (tmp_path / "runner" / "runner.json").is_file()


def test_what_there_was_no_time_to_judge_is_begun_again_by_a_call_that_goes_on(case, tmp_path, work):
    case = replace(case, asked=0.0)
    first = accelerate(case, tmp_path / "runner", budget=Budget(30.0, clock=work))
    late = [trial.name for trial in first.trials if trial.ended == NO_TIME]
    assert late
    second = accelerate(case, tmp_path / "runner", budget=Budget(1000.0, clock=work))
    found = {trial.name: trial for trial in second.trials if trial.kept}
    assert set(late) <= set(found)


def test_where_the_time_is_over_at_once_the_network_is_run_at_full_precision_alone(case, tmp_path, work):
    told, case = [], replace(case, precisions=(), asked=0.0)
    outcome = accelerate(case, tmp_path / "runner", budget=Budget(2.0, clock=work), tell=told.append)
    assert {(trial.kind, trial.precision) for trial in outcome.trials if trial.kept} == {
        ("per frame", "fp32")
    }
    assert "the per-frame network at full precision alone: there is too little time" in told


class Clips(torch.utils.data.Dataset):
    def __init__(self, clock):
        self.clock, self.until = clock, lambda: None

    def __len__(self):
        return 4

    def __getitem__(self, index):
        self.until()
        self.clock.now += 1.0
        return torch.zeros(2, 3, 8, 8)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def distilling(case, monkeypatch, does, seconds):
    clock, told = Clock(), []
    clips = Clips(clock)
    monkeypatch.setattr(type(case), "clips", lambda *given, **options: clips)
    monkeypatch.setattr(learning, "distill", does)
    network = torch.nn.Linear(1, 1)
    monkeypatch.setattr(learning, "students_of", lambda network: {"w": network.weight.detach().clone()})
    try:
        return distilled(case, network, seconds=seconds, seed=0, clock=clock, tell=told.append), clock, told
    except TakenBackError as error:
        return str(error), clock, told


def going_through(network, clips, *, steps, **options):
    for step in range(steps):
        clips[step % len(clips)]
        with torch.no_grad():
            network.weight += 1


def test_the_first_steps_of_a_distillation_end_with_its_time_too(case, monkeypatch):
    found, clock, _ = distilling(case, monkeypatch, going_through, 0.5)
    assert found == (0, {})
    assert clock.now == 1.0


def test_a_distillation_ends_with_its_time_and_what_was_learned_stays(case, monkeypatch):
    (steps, students), clock, _ = distilling(case, monkeypatch, going_through, 100.0)
    assert (steps, clock.now) == (160, 101.0)  # half a second a step, as the first two had it
    assert students["w"].shape == (1, 1)


def test_students_that_come_back_as_they_were_are_no_trial(case, monkeypatch):
    def no_better(network, clips, *, steps, **options):
        logging.getLogger(__name__).info("nothing learned in %d steps", steps)
        clips[0]

    found, _, _ = distilling(case, monkeypatch, no_better, 100.0)
    assert found == "the students were no better after 320 steps, and are what they were before"


def test_a_distillation_that_was_taken_back_is_named_so_on_the_page(case, tmp_path, work, monkeypatch):
    def taken_back(*given, **options):
        raise TakenBackError("the students were no better after 320 steps, and are what they were before")

    monkeypatch.setattr(courses, "distilled", taken_back)
    outcome = accelerate(replace(case, asked=0.0), tmp_path / "runner", budget=Budget(1000.0, clock=work))
    last = outcome.trials[-1]
    assert last.name == "delta, γ 4, kernels larger than 1×1, distillation taken back"
    assert not any("steps of distillation" in trial.name for trial in outcome.trials)
    page = (tmp_path / "runner" / "report.html").read_text()
    assert "distillation taken back: the students were no better after 320 steps" in page
    assert "Students were distilled, and were no better for it" in page
    assert np.isfinite(outcome.tested.kept)
