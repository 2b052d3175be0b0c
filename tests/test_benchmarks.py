"""The benchmarks start: their imports and arguments are those of the library as it is."""

import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_student_follows_a_clip_whose_labels_are_true(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import online_student

    found = online_student.followed(*online_student.clip(2, height=32, width=64), {"updates": 1}, {})
    assert "asked 50.0%, 1 steps, 0 times undone" in found
