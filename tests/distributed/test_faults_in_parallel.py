"""Stages of several processes: how they start, are interrupted, and fail, with two real processes each."""

import json
import shutil
import signal
import time

import pytest
from distributed.launching import TOY_STAGE, run, start

from deltadistill.processes import launch
from deltadistill.processes.checkpoint import Checkpoint

TWO = {launch.PROCESSES: "2"}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    code, said = run(TOY_STAGE, folder, "none", **TWO)
    assert code == 0, said
    return json.loads((folder / "result.json").read_text())


def test_a_stage_starts_itself_in_several_processes(uninterrupted):
    assert uninterrupted["processes"] == 2
    assert [row["step"] for row in uninterrupted["curve"]] == list(range(1, 9))


def test_a_process_that_fails_ends_the_stage_with_its_traceback_alone(tmp_path):
    code, said = run(TOY_STAGE, tmp_path, "bug", **TWO)
    assert code == 1
    assert said.count("Traceback (most recent call last)") == 1
    assert said.rstrip().endswith("KeyError: 'no such block'")


def test_what_the_user_can_mend_is_said_in_one_line_by_one_process(tmp_path):
    code, said = run(TOY_STAGE, tmp_path, "mend everywhere", **TWO)
    assert code == 1
    line = "toy_stage: clip street3 is damaged; make it again"
    assert [told for told in said.splitlines() if "street3" in told] == [line]
    assert "Traceback" not in said


def test_a_killed_process_ends_the_stage_within_seconds(tmp_path):
    begun = time.monotonic()
    code, said = run(TOY_STAGE, tmp_path, "kill", **TWO)
    assert code == 128 + signal.SIGKILL
    assert "(local rank 1) was ended by SIGKILL" in said
    assert "Traceback" not in said
    assert time.monotonic() - begun < 60  # a peer that waits for it would do so for half an hour


def wait_for(path, started):
    until = time.monotonic() + 180
    while not path.exists():
        assert time.monotonic() < until
        assert started.poll() is None, started.communicate()[1]
        time.sleep(0.02)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """The folder of a stage of two processes that got SIGTERM, and what it said."""
    folder = tmp_path_factory.mktemp("interrupted")
    with start(TOY_STAGE, folder, "slow", **TWO) as started:
        wait_for(folder / "step0", started)
        started.send_signal(signal.SIGTERM)
        _, said = started.communicate(timeout=60)
    assert started.returncode == 128 + signal.SIGTERM, said
    return folder, said


def resumed(interrupted, folder, processes):
    shutil.copytree(interrupted[0] / "checkpoint", folder / "checkpoint")
    code, said = run(TOY_STAGE, folder, "none", **{launch.PROCESSES: processes})
    assert code == 0, said
    return json.loads((folder / "result.json").read_text())


def test_a_signal_ends_all_processes_at_one_step_with_one_checkpoint(interrupted):
    folder, said = interrupted
    assert said.count("training: SIGTERM after step") == 1
    assert "Traceback" not in said
    assert [path.name for path in (folder / "checkpoint").iterdir()] == ["last.pt"]
    assert not (folder / "step4").exists()


def test_it_resumes_to_the_same_result(interrupted, uninterrupted, tmp_path):
    assert resumed(interrupted, tmp_path, "2") == uninterrupted


def test_it_goes_on_in_another_number_of_processes(interrupted, uninterrupted, tmp_path):
    result = resumed(interrupted, tmp_path, "1")
    assert result["processes"] == 1
    for row, expected in zip(result["curve"], uninterrupted["curve"], strict=True):
        assert row == pytest.approx(expected, rel=1e-5)


def test_a_look_at_the_tune_split_is_broken_off_by_all_together(tmp_path):
    with start(TOY_STAGE, tmp_path, "slow look", **TWO) as started:
        wait_for(tmp_path / "look", started)
        started.send_signal(signal.SIGTERM)
        _, said = started.communicate(timeout=60)
    assert started.returncode == 128 + signal.SIGTERM, said
    saved = Checkpoint(tmp_path / "checkpoint", minutes=60).load()
    assert saved["steps_done"] == saved["row"]["step"] == 4  # its look is to come


def test_no_process_outlives_a_killed_launcher(tmp_path):
    with start(TOY_STAGE, tmp_path, "slow", **TWO) as started:
        wait_for(tmp_path / "step1", started)
        started.kill()
        started.communicate(timeout=60)  # ends when no process holds its streams any more
    steps = set(tmp_path.glob("step*"))
    time.sleep(0.7)  # two steps of a process that would still be there
    assert set(tmp_path.glob("step*")) == steps
    assert len(steps) < 8
