"""One process, two processes and several passes on the same batch: the same steps."""

import pytest
import torch
from distributed.equal_trainings import CLIPS, EXACT_IN_PASSES, KINDS, curves, in_both_precisions
from distributed.launching import HERE, found_by_two

from deltadistill.processes.group import ALONE, Group
from deltadistill.training.passes import Passes

PRECISIONS = ("torch.float32", "torch.float64")


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    file = tmp_path_factory.mktemp("two") / "curves.json"
    return found_by_two(HERE / "equal_trainings.py", file, timeout=120)


@pytest.fixture(scope="module")
def of_one():
    return in_both_precisions(ALONE)


def assert_equal(found, expected):
    assert found["chosen"] == expected["chosen"]
    assert len(found["curve"]) == len(expected["curve"]) == 8
    for row, other in zip(found["curve"], expected["curve"], strict=True):
        assert row == pytest.approx(other, rel=1e-5, abs=1e-5)
    assert found["statistics"] == pytest.approx(expected["statistics"], rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_two_processes_do_the_steps_of_one(kind, precision, of_one, of_two):
    assert_equal(of_two[precision][kind], of_one[precision][kind])


def test_the_trainings_are_such_that_equality_says_something(of_one):
    """Losses move, the search draws and decides, hard pixels are a part, statistics are learnt."""
    of_one = of_one["torch.float64"]
    for kind, found in of_one.items():
        losses = [row["loss"] for row in found["curve"]]
        assert len({round(loss, 4) for loss in losses}) > 3, kind
    assert of_one["teacher"]["curve"] != of_one["teacher on hard pixels"]["curve"]
    assert min(abs(value - 1) for value in of_one["teacher"]["statistics"]) > 0.01
    costs = {row["cost"] for row in of_one["delta"]["curve"]}
    assert len(costs) > 2
    assert of_one["delta"]["chosen"] != [None]


@pytest.mark.parametrize("kind", EXACT_IN_PASSES)
@pytest.mark.parametrize("frames_at_once", [1, 4, 6])
def test_several_passes_make_the_step_of_one(kind, frames_at_once):
    torch.set_default_dtype(torch.float64)
    try:
        expected = curves(ALONE, kinds=[kind])[kind]
        found = curves(ALONE, frames_at_once=frames_at_once, kinds=[kind])[kind]
    finally:
        torch.set_default_dtype(torch.float32)
    assert_equal(found, expected)


@pytest.mark.parametrize("kind", EXACT_IN_PASSES)
def test_two_processes_in_several_passes_do_the_steps_of_one(kind, of_two):
    assert_equal(of_two["passes"][kind], curves(ALONE, clips=4, kinds=[kind])[kind])


def test_passes_hold_no_more_frames_than_asked_and_all_of_them():
    batch = {"clip": torch.arange(5).view(5, 1).repeat(1, 3), "label": torch.arange(5)}
    parts = Passes(frames_at_once=7).split(batch)  # two clips of three frames at once
    assert [len(part["clip"]) for part in parts] == [2, 2, 1]
    assert torch.cat([part["label"] for part in parts]).tolist() == [0, 1, 2, 3, 4]
    assert [len(part["clip"]) for part in Passes(frames_at_once=1).split(batch)] == [1] * 5
    assert len(Passes().split(batch)) == 1


def test_processes_without_a_clip_are_refused():
    with pytest.raises(ValueError, match="a batch of 5 cannot be shared by 6 processes; start 5 at most"):
        Passes(Group(0, 6)).share(CLIPS, 2)


def test_unlike_numbers_of_passes_are_refused_before_they_wait_for_each_other():
    with pytest.raises(ValueError, match="a batch of 5 does not divide among 2"):
        Passes(Group(0, 2), frames_at_once=2).share(CLIPS, 2)
    assert list(Passes(Group(1, 2), frames_at_once=6).share(CLIPS, 2)) == [1, 3]  # three clips, one pass
