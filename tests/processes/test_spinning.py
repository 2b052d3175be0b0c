"""Threads spin briefly while others hold a core, and what they compute stays."""

import os
import subprocess
import sys
import time
from threading import enumerate as living_threads

import pytest
import torch

from deltadistill.processes import spinning
from deltadistill.processes.spinning import SpinControl

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are looked at in /proc")


@pytest.fixture
def control(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    control = SpinControl()
    yield control
    control.see(0, 1e6)
    assert not control.is_brief
    assert "idle team" not in {thread.name for thread in living_threads()}


def test_threads_spin_briefly_while_they_wait_for_cores_and_not_at_once_after(control):
    seen = []
    for now, waiting in enumerate([0, 0.39, 0.41, 0.05, 0.05, 0.05, 0.05]):
        control.see(waiting, float(now))
        seen.append(control.is_brief)
    assert seen == [False, False, True, True, True, False, False]


def test_a_wait_that_is_neither_much_nor_little_changes_nothing(control):
    control.see(0.3, 0)
    assert not control.is_brief
    control.see(1.0, 1)
    control.see(0.3, 50)
    assert control.is_brief


def test_what_was_ended_too_early_holds_for_twice_as_long_the_next_time(control):
    control.see(1.0, 0)
    control.see(0, 2.5)
    assert not control.is_brief
    control.see(1.0, 3)
    control.see(0, 6.9)
    assert control.is_brief
    control.see(0, 7.1)
    assert not control.is_brief
    control.see(1.0, 20)  # long after: from the beginning
    control.see(0, 22.5)
    assert not control.is_brief


def test_one_thread_waits_for_nobody(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    control = SpinControl()
    control.see(1.0, 0)
    assert not control.is_brief


WAITS = """
import hashlib, os, threading
from deltadistill.processes.spinning import waited_s

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
before, block = waited_s(), bytes(2**24)
threads = [threading.Thread(target=lambda: [hashlib.sha256(block) for _ in range(8)]) for _ in range(2)]
for thread in threads:
    thread.start()
seen = 0
while all(thread.is_alive() for thread in threads):
    seen = max(seen, waited_s() - before)
print(seen)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="this kernel does not count waits")
def test_two_threads_on_one_core_wait_for_it():
    done = subprocess.run([sys.executable, "-c", WAITS], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 0


BRIEF = """
import hashlib
import torch
from deltadistill.processes.spinning import SpinControl

torch.manual_seed(0)
layer, frames = torch.nn.Conv2d(8, 8, 3), torch.randn(2, 8, 96, 96)
control = SpinControl()
for step, waiting in enumerate([0, 1, 1, 0, 0, 1]):
    control.see(waiting, 3.0 * step)
    layer.weight.grad = None
    loss = layer(frames).square().mean()
    loss.backward()
    bits = torch.cat([loss.detach().view(1), layer.weight.grad.flatten()]).numpy().tobytes()
    print(control.is_brief, hashlib.sha256(bits).hexdigest(), torch.get_num_threads())
"""


def test_what_is_computed_does_not_depend_on_how_threads_spin():
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", BRIEF]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    brief, digests, threads = zip(*map(str.split, done.stdout.splitlines()), strict=True)
    assert brief == ("False", "True", "True", "False", "False", "True")
    assert len(set(digests)) == 1
    assert set(threads) == {"2"}


def test_the_watch_sees_how_much_of_the_time_was_waited(monkeypatch):
    seen, total, clock = [], iter([1.0, 1.5, 1.5, 4.5]), iter([0.0, 0.5, 1.0, 2.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    class Seen:
        def see(self, waiting, now):
            seen.append((waiting, now))

    with pytest.raises(StopIteration):
        spinning._watch(Seen(), lambda: next(total))
    assert seen == [(1.0, 0.5), (0.0, 1.0), (3.0, 2.0)]
