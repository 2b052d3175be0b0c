"""The command line of stages."""

import subprocess
import sys
from pathlib import Path

import pytest

from deltadistill import stage_arguments

ROOT = Path(__file__).resolve().parents[1]
STAGES = sorted((ROOT / "stages").glob("*.py"))


def parse(monkeypatch, *given):
    monkeypatch.setattr(sys, "argv", ["stage.py", *given])
    return stage_arguments.parse("What it does.", start_from="weights", variant="a name", seed="of weights")


def test_paths_names_and_seeds_have_their_types(monkeypatch):
    args = parse(monkeypatch, "--start-from", "a/b.pt", "--variant", "delta", "--seed", "3")
    assert (args.params, args.start_from) == (Path("params.yaml"), Path("a/b.pt"))
    assert (args.variant, args.seed) == ("delta", 3)


def test_only_params_and_seed_may_be_left_out(monkeypatch, capsys):
    assert parse(monkeypatch, "--start-from", "a", "--variant", "delta").seed == 0
    with pytest.raises(SystemExit):
        parse(monkeypatch, "--start-from", "a")
    assert "required: --variant" in capsys.readouterr().err


@pytest.mark.parametrize("stage", STAGES, ids=lambda path: path.stem)
def test_a_stage_says_what_it_does_without_loading_torch(stage):
    command = [sys.executable, "-X", "importtime", str(stage), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "argparse" in loaded
    assert not loaded & {"torch", "mlflow", "cv2"}
    assert "--params" in done.stdout
