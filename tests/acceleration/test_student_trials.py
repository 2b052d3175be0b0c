"""Students on every frame: the network that they are, and where it is what accelerate chooses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from acceleration.conftest import Clock, Times, run

from deltadistill.acceleration import course as courses
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.choice import likeliest
from deltadistill.acceleration.designs import ALONE, by_key, made
from deltadistill.acceleration.learning import students_of
from deltadistill.acceleration.student_trials import KIND, alone
from deltadistill.acceleration.trial import Trial
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.stream import Stream
from deltadistill.runtime.runner import Runner


class Fastest(Times):
    """Students on every frame are three times as fast as per frame."""

    def speedups(self, name, periods, *, between, fill=None):
        return {each: 3.0 if tuple(periods) == (1,) else 1.1 for each in periods}


def test_a_design_of_students_on_every_frame_is_found_by_its_name():
    assert by_key(ALONE.key) == ALONE


def test_students_alone_say_what_they_say_behind_a_key_frame_whatever_that_was(case):
    torch.manual_seed(0)
    network = made(case.network, ALONE, case.clips(most=2, steps=(0, 2)).stacked())
    plain, frames = alone(network), torch.rand(3, 1, 3, 48, 64)
    assert not delta_blocks(plain)
    assert sum(p.numel() for p in plain[2].parameters()) < case.network[2].weight.numel()
    with torch.no_grad():
        for key, later in ((0, 1), (2, 1)):
            stream = Stream(network, period=2)
            stream(frames[key])
            torch.testing.assert_close(plain(frames[later]), stream(frames[later]))


def test_a_network_without_biases_has_students_without(case):
    case.network[2].bias = None
    network = made(case.network, ALONE, case.clips(most=2, steps=(0, 2)).stacked())
    assert all(layer.bias is None for layer in alone(network)[2])


def test_students_on_every_frame_that_are_fastest_become_a_runner_without_key_frames(case, tmp_path, quick):
    quick(Fastest())
    case = replace(case, asked=0.0)
    taken = run(case, tmp_path / "runner").choice.taken
    assert (taken.trial.kind, taken.trial.design, taken.period, taken.speedup) == (KIND, ALONE.key, 1, 3.0)
    description = Runner(tmp_path / "runner", engine="onnxruntime").description
    assert (description.schedule.period, list(description.maps)) == (1, [])
    again = run(case, tmp_path / "runner").choice.taken  # its graphs are made again
    assert (again.trial.kind, again.trial.steps) == (KIND, taken.trial.steps)
    assert again.fidelity == taken.fidelity


def test_the_written_runner_computes_the_students_and_not_the_network(case, tmp_path, quick):
    quick(Fastest())
    run(replace(case, asked=0.0), tmp_path / "runner")
    frame = case.parts.testing[0].frames[0][None]
    with torch.no_grad():
        teacher = case.network(torch.from_numpy(frame).permute(0, 3, 1, 2) / 255)
    assert not np.allclose(Runner(tmp_path / "runner", engine="onnxruntime")(frame), teacher, atol=1e-3)


@pytest.mark.parametrize(("asked", "distils"), [(1.0, True), (0.0, False)])
def test_students_that_are_fast_enough_learn_where_they_keep_too_little(
    case,
    tmp_path,
    quick,
    monkeypatch,
    asked,
    distils,
):
    given = []

    def distilled(case, network, *, seconds, **options):
        given.append(seconds)
        return (10, students_of(network)) if len(given) == 1 else (0, {})

    quick(Fastest())
    monkeypatch.setattr(courses, "distilled", distilled)
    monkeypatch.setattr(courses.Course, "_online", lambda self: None)
    budget = Budget(400, clock=Clock(0.5))
    outcome = run(replace(case, asked=asked), tmp_path / "runner", budget=budget)
    steps = [trial.steps for trial in outcome.trials if trial.kind == KIND]
    assert steps == ([0, 10] if distils else [0])
    if distils:
        assert given[0] == pytest.approx(0.15 * 400)
        assert all(next(iter(trial.points())).period == 1 for trial in outcome.trials if trial.kind == KIND)


def test_slow_students_are_not_judged(case, tmp_path, quick):
    class Slow(Times):
        def speedups(self, name, periods, *, between, fill=None):
            return dict.fromkeys(periods, 0.9)

    quick(Slow())
    trials = run(replace(case, asked=0.0), tmp_path / "runner").trials
    (found,) = (trial for trial in trials if trial.kind == KIND)
    assert found.ended == "no faster than the fastest per-frame run"
    assert not found.fidelities


def test_the_distillation_of_changes_does_not_go_on_with_students_of_features():
    tables = {name: {1: 1.0} for name in ("fidelities", "kept", "lower")}
    students = Trial("students", KIND, design=ALONE.key, speedups={1: 9.0}, **tables)
    assert likeliest([students], asked=0.9) is None
