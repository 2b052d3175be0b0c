"""Batches read ahead in threads are those that are read one by one."""

import threading

import pytest
import torch
from training.toy_trainings import TRAINEES, run

from deltadistill.training.loading import read_ahead


class _Batches:
    """Item i is 10 i; notes which are being read, and when."""

    def __init__(self, broken=None):
        self.begun, self._broken = [], broken

    def __getitem__(self, step):
        self.begun.append(step)
        if step == self._broken:
            raise ValueError(f"step {step} cannot be read")
        return 10 * step


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("steps", [range(7), range(3, 7), range(0), range(1)])
def test_batches_come_in_the_order_of_their_steps(threads, steps):
    with read_ahead(_Batches(), steps, threads=threads) as loader:
        assert list(loader) == [10 * step for step in steps]


def test_without_threads_a_batch_is_read_when_its_turn_comes():
    batches = _Batches()
    with read_ahead(batches, range(5), threads=0) as loader:
        assert batches.begun == []
        next(loader)
        assert batches.begun == [0]


def test_batches_are_read_while_one_is_worked_on_and_not_far_ahead():
    batches, read = _Batches(), threading.Semaphore(0)
    inner = batches.__getitem__

    class Telling:
        def __getitem__(self, step):
            found = inner(step)
            read.release()
            return found

    with read_ahead(Telling(), range(100), threads=2) as loader:
        assert next(loader) == 0
        for _ in range(4):  # the first, and three more that nobody asked for
            assert read.acquire(timeout=10)
        assert sorted(batches.begun) == [0, 1, 2, 3]


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_is_raised_when_its_batch_is_due(threads):
    with read_ahead(_Batches(broken=2), range(5), threads=threads) as loader:
        assert [next(loader), next(loader)] == [0, 10]
        with pytest.raises(ValueError, match="step 2 cannot be read"):
            next(loader)


def test_threads_end_with_the_block_even_if_batches_are_left():
    def stopped():
        with read_ahead(_Batches(), range(1000), threads=2) as loader:
            next(loader)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reading")]


@pytest.mark.parametrize("kind", TRAINEES)
def test_a_training_ends_with_the_same_weights_however_its_batches_are_read(kind):
    make, frames = TRAINEES[kind]
    plain, threaded = make(), make()
    expected, found = run(plain, frames), run(threaded, frames, loading_threads=2)
    assert [row["loss"] for row in found.curve] == [row["loss"] for row in expected.curve]
    weights = threaded.network.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in plain.network.state_dict().items())
