"""Checkpoints: two are kept, damage is said and the one before taken, a full disk loses none."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch

from deltadistill.processes.checkpoint import Checkpoint


@pytest.fixture
def saved(tmp_path):
    """A checkpoint of step 3, and one of step 2 before it."""
    checkpoint = Checkpoint(tmp_path, minutes=1)
    for step in (1, 2, 3):
        checkpoint.save({"steps_done": step, "weights": torch.full((100,), float(step))})
    checkpoint.wait()
    return checkpoint


def truncate(path):
    path.write_bytes(path.read_bytes()[:-300])


def flip_a_bit_of_the_weights(path):
    content = bytearray(path.read_bytes())
    content[content.index(torch.full((100,), 3.0).numpy().tobytes()) + 50] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def test_the_last_one_is_loaded(saved):
    assert saved.load()["steps_done"] == 3
    assert sorted(path.name for path in saved.path.parent.iterdir()) == ["last.pt", "previous.pt"]


@pytest.mark.parametrize("damage", [truncate, flip_a_bit_of_the_weights, empty])
def test_a_damaged_one_is_said_to_be_so_and_the_one_before_is_taken(saved, damage, caplog):
    damage(saved.path)
    assert saved.load()["steps_done"] == 2
    assert f"{saved.path} cannot be read" in caplog.text
    assert "going on from previous.pt" in caplog.text


def test_a_process_killed_between_two_renames_loses_nothing(saved):
    os.replace(saved.path, saved.previous)
    assert saved.load()["steps_done"] == 3


def test_where_both_are_damaged_the_training_starts_anew(saved, caplog):
    empty(saved.path)
    empty(saved.previous)
    assert saved.load() is None
    assert "starting from the beginning" in caplog.text


def test_the_only_one_damaged_starts_anew(tmp_path, caplog):
    checkpoint = Checkpoint(tmp_path, minutes=1)
    checkpoint.save({"steps_done": 1})
    checkpoint.wait()
    truncate(checkpoint.path)
    assert checkpoint.load() is None
    assert "going on" not in caplog.text


def test_no_code_of_a_checkpoint_is_run(saved, caplog):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(saved.path.parent / "harm"),)

    torch.save(Harm(), saved.path)
    assert saved.load()["steps_done"] == 2
    assert not (saved.path.parent / "harm").exists()


def test_a_real_full_disk_keeps_the_ones_before(saved, caplog):
    full = textwrap.dedent(f"""
        import logging, resource, signal, sys, torch
        from pathlib import Path
        from deltadistill.processes.checkpoint import Checkpoint
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        checkpoint = Checkpoint(Path({str(saved.path.parent)!r}), minutes=1)
        checkpoint.save({{"weights": torch.zeros(10_000)}})
        checkpoint.wait()
    """)
    done = subprocess.run([sys.executable, "-c", full], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no new checkpoint, but the training goes on" in done.stderr
    assert "last.pt cannot be written: File too large" in done.stderr
    assert saved.load()["steps_done"] == 3
    assert sorted(path.name for path in saved.path.parent.iterdir()) == ["last.pt", "previous.pt"]


def test_what_is_written_is_the_state_at_the_call_although_the_training_goes_on(tmp_path):
    checkpoint, weights = Checkpoint(tmp_path, minutes=1), torch.zeros(1_000_000)
    checkpoint.save({"weights": weights})
    weights.fill_(1)
    assert not checkpoint.load()["weights"].any()
