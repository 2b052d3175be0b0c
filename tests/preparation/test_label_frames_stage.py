"""The stage label_frames, run as DVC runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from data.small_dataset import make_manifest

from deltadistill import models
from deltadistill.data.manifest import Manifest
from deltadistill.files import commented_yaml
from deltadistill.stored.network_file import save_network

ROOT = Path(__file__).resolve().parents[2]
TABLE = {"car": [2], "road": [0, 1]}


@pytest.fixture
def folder(tmp_path):
    """A data set with sparse labels, a network of three classes, and parameters that name the table."""
    (tmp_path / "data").mkdir()
    make_manifest(tmp_path / "data", labelled=[4]).write(tmp_path / "data" / "manifest.csv")
    model = {"name": "ddrnet23_slim", "classes": 3, "options": {"width": 8}}
    save_network(tmp_path / "other.pt", models.build("ddrnet23_slim", classes=3, width=8), model)
    document = commented_yaml.load(ROOT / "params.yaml")
    commented_yaml.assign(document["label_frames"], "classes", TABLE)
    commented_yaml.assign(document["label_frames"], "threshold", 0.0)
    (tmp_path / "params.yaml").write_text(commented_yaml.dump(document))
    return tmp_path


def run(folder, *, network="other.pt"):
    command = [sys.executable, ROOT / "stages" / "label_frames.py", "--data", "data", "--network", network]
    command += ["--labelled", "labelled/toy", "--results", "results"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DELTADISTILL_TRACKING": "off"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_network_of_other_classes_labels_by_the_table(folder):
    done = run(folder)
    assert done.returncode == 0, done.stderr
    assert "10/10" in done.stderr  # the bar
    assert "10 frames labelled" in done.stdout
    made = Manifest.read(folder / "labelled" / "toy" / "manifest.csv")
    assert made.counts()["pseudo"]["train"] == 10
    written = json.loads((folder / "results" / "labels.json").read_text())
    assert written["pseudo_labels"] == 10
    assert written["shares"]["road"] + written["shares"]["car"] == pytest.approx(1)
    assert written["shares"]["ignored"] == written["shares"]["sky"] == 0
    provenance = json.loads((folder / "results" / "provenance.json").read_text())
    assert provenance["params"]["label_frames"]["classes"] == TABLE
    assert list((folder / ".checkpoints").iterdir()) == []


def test_a_wrong_file_is_one_line_and_leaves_nothing(folder):
    (folder / "other.pt").write_bytes(b"nonsense")
    done = run(folder)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("label_frames: other.pt: not a readable network")
    assert not (folder / "labelled").exists()


def test_a_wrong_number_of_classes_is_one_line(folder):
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("car: [2]", "car: [5]"))
    done = run(folder)
    assert done.returncode == 1
    assert "label_frames: other.pt (label_frames.classes) has 1 fault" in done.stderr
    assert "the network has no class 5, only 0 to 2" in done.stderr
