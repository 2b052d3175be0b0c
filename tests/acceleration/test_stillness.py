"""Answers that never change: fidelity to them tells nothing, and that is said wherever figures are."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from acceleration.conftest import SIZE, shot

from deltadistill.acceleration import course as courses
from deltadistill.acceleration.accelerate import accelerate
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.fidelity import LabelAgreement
from deltadistill.acceleration.footage import Parts
from deltadistill.acceleration.stillness import Stillness, stillness, warning


def labelled(case, halves):
    """The case with frames whose value is the share of the picture that class 1 has."""
    frames = [np.full((*SIZE, 3), share, np.uint8) for share in halves]
    return replace(case, parts=Parts([], [shot(frames)], []))


def begin(frame):
    labels = np.zeros(SIZE, np.uint8)
    labels[:, : frame[0, 0, 0]] = 1
    return {"label_map": labels}


PLAIN = SimpleNamespace(begin=begin)


def test_the_first_answer_is_compared_with_those_of_other_frames(case):
    # Of 64 columns 32 are of class 1 in the first frame; 32, then 16 in the others: IoU of class 1
    # (32 + 16) / (32 + 32), of class 0 (32 + 32) / (32 + 48).
    found = stillness(labelled(case, [32, 32, 16]), LabelAgreement(), PLAIN)
    assert found.frames == 2
    assert found.kept == pytest.approx((48 / 64 + 64 / 80) / 2)


def test_a_single_frame_says_nothing_of_change(case):
    assert stillness(labelled(case, [32]), LabelAgreement(), PLAIN) is None


def test_answers_that_keep_what_is_asked_by_standing_still_tell_nothing():
    assert Stillness(0.985, 11).tells_nothing(0.98)
    assert Stillness(0.96, 11).tells_nothing(0.98)  # nearly all of it
    assert Stillness(0.82, 11).tells_nothing(0.8)
    assert not Stillness(0.9, 11).tells_nothing(0.98)


def test_the_warning_has_both_numbers_and_what_to_look_at():
    told = warning(Stillness(0.9994, 11), 0.98)
    for part in ("11 others", "keeps 0.999", "0.98 is asked for", "weights are trained", "--threshold"):
        assert part in told


@pytest.fixture
def constant(case):
    """A network whose labels are the same whatever it sees."""
    torch.nn.init.zeros_(case.network[-1].weight)
    return replace(case, precisions=("fp32",))


def test_a_network_that_never_changes_its_answer_is_told_of_on_terminal_page_and_in_json(
    constant, tmp_path, monkeypatch
):
    monkeypatch.setattr(courses, "DESIGNS", ())
    told = []
    outcome = accelerate(constant, tmp_path / "runner", budget=Budget(3), tell=told.append)
    assert (
        sum(text.startswith("warning: the per-frame network's answer hardly changes") for text in told) == 1
    )
    assert outcome.as_json()["one_answer_for_all_frames"] == 1
    assert "hardly changes" in outcome.as_json()["warnings"][0]
    assert "Warning: the per-frame network" in (tmp_path / "runner" / "report.html").read_text()


def test_where_answers_change_nothing_is_warned_of(case, tmp_path, monkeypatch):
    monkeypatch.setattr(courses, "DESIGNS", ())
    monkeypatch.setattr(courses, "stillness", lambda *given: Stillness(0.5, 11))
    outcome = accelerate(case, tmp_path / "runner", budget=Budget(3))
    assert outcome.as_json()["warnings"] == []
    assert outcome.as_json()["one_answer_for_all_frames"] == 0.5
    assert "Warning" not in (tmp_path / "runner" / "report.html").read_text()
