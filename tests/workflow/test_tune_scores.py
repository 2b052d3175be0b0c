"""Scores on the tune split: of networks that see one class everywhere."""

import sys

import pytest
import torch
import tune_scores
from data.small_dataset import make_manifest

from deltadistill import models
from deltadistill.stored.network_file import save_network

MODEL = {"name": "ddrnet23_slim", "classes": 8, "options": {"width": 4, "stem_strides": [2, 1]}}


@pytest.fixture
def data(tmp_path):
    clips = {"train": 1, "tune": 2, "test": 1}
    make_manifest(tmp_path, clips=clips, frames=5, labelled=(2, 4)).write(tmp_path / "manifest.csv")
    return tmp_path


def network(path, *, seen):
    made = models.build(MODEL["name"], classes=8, **MODEL["options"])
    last = [module for module in made.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    last.bias.data[seen] = 1
    save_network(path, made, MODEL)
    return path


def scored(monkeypatch, capsys, data, *networks, lengths=("1", "3")):
    call = ["tune_scores.py", "--data", str(data), "--lengths", *lengths, "--params", "params.yaml"]
    monkeypatch.setattr(sys, "argv", [*call, *networks])
    tune_scores.main()
    return capsys.readouterr().out.splitlines()


def test_labelled_frames_of_the_tune_split_are_scored_at_every_length(monkeypatch, capsys, data):
    road, sky = network(data / "road.pt", seen=0), network(data / "other.pt", seen=1)
    lines = scored(monkeypatch, capsys, data, f"per_frame:{road}", f"copy:{sky}")
    assert lines[0] == "mIoU on 4 frames of the tune split"  # two clips, frames 2 and 4 of each
    assert lines[1].endswith("road.pt  T = 1: 25.0, T = 3: 25.0")  # IoU 1/2 and 0
    assert lines[2].endswith("other.pt  T = 1: 0.0, T = 3: 0.0")


def test_another_way_to_predict_is_refused(monkeypatch, capsys, data):
    road = network(data / "road.pt", seen=0)
    with pytest.raises(ValueError, match="predictor 'guess' is unknown"):
        scored(monkeypatch, capsys, data, f"guess:{road}")
