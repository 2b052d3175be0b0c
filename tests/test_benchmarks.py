"""The benchmarks start: their imports and arguments are those of the library as it is."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import deltadistill as dd

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("script", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_explains_itself(script):
    done = subprocess.run(
        [sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_a_checkpoint_is_measured(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import checkpoints

    size, *spent = checkpoints.checkpoint_of("ddrnet23_slim", 1)
    assert (
        size > 130 * 2**20
    )  # weights of teacher and students, AdamW's two averages of each, the best weights
    assert min(spent) > 0


@pytest.mark.parametrize("kind", ["per frame", "distill"])
def test_a_training_beside_a_busy_process_does_its_steps(monkeypatch, kind):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import busy_machine

    assert busy_machine.endless(kind)()["loss"] > 0


def test_a_training_step_is_made_as_the_library_makes_it(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import training_step

    assert callable(training_step.endless(training_step.trainee("per frame")))


def test_a_part_of_the_table_of_engines_without_its_weights_is_said_to_be_left_out(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import runtime

    assert runtime.measure_nanodet(argparse.Namespace(nanodet=None)) == {}
    assert "NanoDet-g is left out" in capsys.readouterr().out


def test_logits_at_an_eighth_are_the_heads(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import runtime

    network = dd.models.build("ddrnet23_slim", classes=3, width=4).eval()
    assert runtime.at_an_eighth(network, torch.rand(1, 3, 64, 128)).shape == (1, 3, 8, 16)
    assert not network.final_layer._forward_hooks


def test_a_student_follows_a_clip_whose_labels_are_true(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import online_student

    found = online_student.followed(*online_student.clip(2, height=32, width=64), {"updates": 1}, {})
    assert "asked 50.0%, 1 steps, 0 times undone" in found


def test_designs_are_scored_before_and_after_they_learn(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import untrained_search

    monkeypatch.setattr(untrained_search, "SIZE", (32, 64))
    learnt = untrained_search.streets(1, 1)
    (row,) = untrained_search.scored(untrained_search.DESIGNS[:1], learnt, learnt, steps=1)
    assert row[0] > 0 > row[1]
    assert 0 <= row[2] <= 1
