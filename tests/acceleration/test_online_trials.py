"""A student that learns online among the trials: whether it is tried, what it costs, and its runner."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from acceleration.test_accelerate import Clock, Times, run

from deltadistill.acceleration import course as courses
from deltadistill.acceleration import delta_trials, fill_trials, online_student, online_trials
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.course import Course
from deltadistill.acceleration.fidelity import BoxAgreement
from deltadistill.acceleration.online_trials import Passed
from deltadistill.acceleration.scoring import Scores
from deltadistill.acceleration.trial import from_json
from deltadistill.exporting.learning_runner import LearningRunner
from deltadistill.online.settings import Settings
from deltadistill.runtime.runner import Runner


@pytest.fixture
def learning(monkeypatch, case):
    """A case for whose network, small as it is, a student is tried; delta networks and fills save nothing."""
    monkeypatch.setattr(online_student, "_TIMES_CHEAPER", 0.0)
    monkeypatch.setattr(online_student, "_MOST", 40)
    monkeypatch.setattr(courses, "DESIGNS", ())
    for module in (fill_trials, delta_trials):
        monkeypatch.setattr(module, "way_times", lambda *given, **options: Times())
    return replace(case, asked=0.3)


@pytest.fixture
def base(case):
    with Course(case, Budget(40, clock=Clock()), lambda text: None) as course:
        course.begin()
        yield course.known()


def test_a_speed_up_is_of_all_frames_with_their_updates():
    # 2 labelled frames of 30 and 50 ms, 2 of the student's of 5, where each takes 40 in full: 4 · 40 / 90.
    found = Passed(Scores(), [30.0, 50.0], [5.0, 5.0], [38.0, 42.0])
    assert (found.frames, found.speedup) == (4, pytest.approx(160 / 90))


def test_it_passes_at_what_is_asked_or_half_way_to_all():
    assert [each.threshold for each in online_trials.settings_for(0.8)] == [0.8, 0.9]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"asked": 0.96}, "more than 0.95 is asked for"),
        ({"memory_mib": 40.0, "asked": 0.8}, "is not counted, and there is a bound"),
        ({"device": "cuda", "asked": 0.8}, "on processors alone"),
        ({"asked": 0.8}, "no more than [0-9.]+ times the work"),
    ],
)
def test_why_it_is_not_tried_is_said(case, base, changed, reason):
    assert re.search(reason, online_student.why_not(replace(case, **changed), base))


def test_answers_that_are_no_labels_have_no_student(case, base):
    boxes = replace(base, measure=BoxAgreement())
    assert online_student.why_not(case, boxes) == "answers are no labels"


def test_a_student_learns_the_labels_of_the_learning_part(case, base, monkeypatch):
    monkeypatch.setattr(online_student, "_MOST", 20)

    def agreement(student):
        frames = case.parts.learning[0].frames
        seen = online_student.as_frames(torch.from_numpy(np.stack(frames)), case.pictures)
        with torch.no_grad():
            said = student.eval()(seen).argmax(1).numpy()
        return float(
            np.mean(
                [(base.answers.begin(f)["label_map"] == s).mean() for f, s in zip(frames, said, strict=True)]
            )
        )

    clock = Clock(0.1)
    how = {"clock": clock, "tell": lambda text: None}
    learned, steps = online_student.pretrained(case, base, seconds=5.0, **how)
    assert steps >= 20
    assert agreement(learned) > agreement(online_student.student_of(case, base)) + 0.1
    assert online_student.pretrained(case, base, seconds=0.5, **how)[1] == 0


def test_a_student_that_is_fastest_becomes_a_runner_that_learns_on(learning, tmp_path, monkeypatch):
    monkeypatch.setattr(Passed, "speedup", 3.0)
    given = {"tell": (said := []).append, "budget": Budget(400, clock=Clock(0.5))}
    outcome = run(learning, tmp_path / "runner", **given)
    taken = outcome.choice.taken
    assert (taken.trial.kind, taken.trial.passing in (0.3, 0.65)) == ("online", True)
    assert outcome.speedup == 3.0
    assert from_json(taken.trial.as_json()) == taken.trial
    page = (tmp_path / "runner" / "report.html").read_text()
    assert "a student learns from it while it runs" in page
    assert "a labelled frame, learned from" in page
    assert "students were trained for" not in page  # its own steps are no distillation of a delta network's
    with pytest.raises(ValueError, match="learns while it runs, which takes PyTorch"):
        Runner(tmp_path / "runner")
    runner = LearningRunner(tmp_path / "runner", engine="onnxruntime", threads=1)
    frame = learning.parts.testing[0].frames[0][None]
    in_full = Runner(tmp_path / "runner", engine="onnxruntime", period=1)(frame)
    assert (runner(frame)["label_map"] == in_full[0].argmax(0)).all()  # the first frame is labelled
    assert runner.is_key_frame
    assert any(text.startswith("online, passing at 0.3: ×3.00") for text in said)
    again = run(learning, tmp_path / "runner").choice.taken  # goes on from its trials, and its student
    assert again.trial == taken.trial


def test_settings_of_a_trial_are_those_that_were_tried():
    for settings in online_trials.settings_for(0.7):
        trial = from_json({"name": "", "kind": "online", "passing": settings.threshold, **EMPTY})
        assert online_trials.settings_of(trial) == Settings(threshold=settings.threshold)


EMPTY = {
    **{name: {} for name in ("speedups", "fidelities", "kept", "lower", "scores")},
    **{name: {} for name in ("thresholds", "key_shares")},
    "between": {},
    "compressed": [],
}
