"""Interrupted trainings: a checkpoint is written, and the result is that of an uninterrupted one."""

import signal
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from training.toy_trainings import STEPS, TRAINEES, per_frame_trainee, run

from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.processes.checkpoint import Checkpoint
from deltadistill.processes.interruption import Interruption


class _StopAt:
    """A trainee that gets a signal during one step, or during one look at the tune split."""

    def __init__(self, trainee, *, step=None, look=None, number=signal.SIGTERM):
        self._trainee, self._step, self._look, self._number = trainee, step, look, number

    def __getattr__(self, name):
        return getattr(self._trainee, name)

    def step(self, index, batch):
        if index == self._step:
            signal.raise_signal(self._number)
        return self._trainee.step(index, batch)

    def tune_score(self, between):
        if self._look is not None:
            self._look -= 1
            if self._look < 0:
                signal.raise_signal(self._number)
                pytest.fail("a look goes on after the signal")
        return self._trainee.tune_score(between)


def assert_equal(found, expected):
    assert all(torch.equal(found[key], value) for key, value in expected.items())


@pytest.mark.parametrize(
    "stop", [{"step": n} for n in (0, 1, 5, 6, 9, 11)] + [{"look": n} for n in (0, 1, 2)]
)
@pytest.mark.parametrize("kind", TRAINEES)
def test_an_interrupted_training_resumes_to_the_same_result(kind, stop, tmp_path):
    make, frames = TRAINEES[kind]
    whole = make()
    expected = run(whole, frames)
    checkpoint = Checkpoint(tmp_path / "running", minutes=60)
    with pytest.raises(SystemExit):
        run(_StopAt(make(), **stop), frames, checkpoint=checkpoint)
    resumed = make()
    outcome = run(resumed, frames, checkpoint=checkpoint)
    assert_equal(resumed.network.state_dict(), whole.network.state_dict())
    assert_equal(resumed.state()["average"], whole.state()["average"])
    assert outcome.curve == expected.curve
    assert (outcome.best_step, outcome.best_score) == (expected.best_step, expected.best_score)
    assert_equal(outcome.best_state, expected.best_state)
    if not kind.startswith("per frame"):
        chosen = [block.decided for block in delta_blocks(resumed.network).values()]
        assert chosen == [block.decided for block in delta_blocks(whole.network).values()]


def test_one_interrupted_at_every_step_resumes_to_the_same_result(tmp_path):
    whole, checkpoint = per_frame_trainee(), Checkpoint(tmp_path, minutes=60)
    expected = run(whole, 1)
    for step in range(STEPS):
        with pytest.raises(SystemExit):
            run(_StopAt(per_frame_trainee(), step=step), 1, checkpoint=checkpoint)
    outcome = run(per_frame_trainee(), 1, checkpoint=checkpoint)
    assert [row["loss"] for row in outcome.curve] == [row["loss"] for row in expected.curve]


def test_a_network_that_draws_random_numbers_resumes_to_the_same_result(tmp_path):
    def trainee():
        made = per_frame_trainee()
        made.network.append(nn.Dropout(0.5))
        return made

    expected = run(trainee(), 1)
    checkpoint = Checkpoint(tmp_path, minutes=60)
    with pytest.raises(SystemExit):
        run(_StopAt(trainee(), step=5), 1, checkpoint=checkpoint)
    torch.rand(7)  # another process has drawn other numbers before
    outcome = run(trainee(), 1, checkpoint=checkpoint)
    assert [row["loss"] for row in outcome.curve] == [row["loss"] for row in expected.curve]


@pytest.mark.parametrize(
    ("number", "ends"),
    [
        (signal.SIGTERM, SystemExit(143)),
        (signal.SIGUSR1, SystemExit(138)),
        (signal.SIGINT, KeyboardInterrupt()),
    ],
)
def test_each_signal_writes_a_checkpoint_and_ends_as_it_asks(number, ends, tmp_path, caplog):
    checkpoint = Checkpoint(tmp_path, minutes=60)
    with pytest.raises(type(ends)) as caught:
        run(_StopAt(per_frame_trainee(), step=6, number=number), 1, checkpoint=checkpoint)
    assert caught.value.args == ends.args
    assert checkpoint.load()["steps_done"] == 7
    assert f"{number.name} after step 7" in caplog.text


def test_a_second_signal_ends_the_process_at_once():
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGTERM)
        assert interruption.came == signal.SIGTERM
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGTERM)


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    run(per_frame_trainee(), 1)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == before


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("kind", TRAINEES)
def test_a_killed_training_resumes_from_the_last_timed_checkpoint_to_the_same_result(kind, tmp_path):
    make, frames = TRAINEES[kind]
    expected = run(make(), frames)
    checkpoint = Checkpoint(tmp_path, minutes=0)  # due after every step
    checkpoints = []

    def kill(row):
        checkpoints.append(row["step"])
        if row["step"] == 7:
            raise _KilledError

    with pytest.raises(_KilledError):
        run(make(), frames, checkpoint=checkpoint, on_row=kill)
    assert checkpoint.load()["steps_done"] == 6
    outcome = run(make(), frames, checkpoint=checkpoint)
    assert outcome.curve == expected.curve
    assert (outcome.best_step, outcome.best_score) == (expected.best_step, expected.best_score)
    assert_equal(outcome.best_state, expected.best_state)


def test_no_checkpoint_gets_older_than_the_minutes_and_a_step_even_while_a_look_goes_on(
    tmp_path, monkeypatch
):
    now, saved, ages = [0.0], [0.0], []
    for module in ("processes.interval", "training.loop"):
        clock = SimpleNamespace(monotonic=lambda: now[0])
        monkeypatch.setattr(f"deltadistill.{module}.time", clock)

    class Slow(_StopAt):
        """Steps of half a minute, looks of one and a half."""

        def step(self, index, batch):
            return self._takes(30, self._trainee.step(index, batch))

        def tune_score(self, between):
            return self._takes(90, self._trainee.tune_score(between))

        def _takes(self, seconds, result):
            now[0] += seconds
            ages.append(now[0] - saved[0])
            return result

    class Watched(Checkpoint):
        def save(self, state):
            saved[0] = now[0]
            super().save(state)

    run(Slow(per_frame_trainee()), 1, checkpoint=Watched(tmp_path, minutes=2))
    assert len(ages) == STEPS + 3
    assert max(ages) <= 120 + 30


def test_a_full_disk_stops_no_training(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    outcome = run(per_frame_trainee(), 1, checkpoint=Checkpoint(tmp_path, minutes=0))
    assert len(outcome.curve) == STEPS
    assert "no new checkpoint, but the training goes on" in caplog.text
    assert "cannot be written: No space left on device" in caplog.text


def test_the_checkpoint_holds_everything_that_the_optimiser_knows(tmp_path):
    trainee, checkpoint = per_frame_trainee(), Checkpoint(tmp_path, minutes=60)
    with pytest.raises(SystemExit):
        run(_StopAt(trainee, step=4), 1, checkpoint=checkpoint)
    saved = checkpoint.load()["trainee"]["optimiser"]["state"]
    assert all(entry["step"] == 5 for entry in saved.values())
