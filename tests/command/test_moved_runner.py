"""Runners that copy or move answers between key frames, from the command line."""

import json
from pathlib import Path

import pytest
import torch
from preparation.small_videos import drifting, write_video
from torch import nn

import deltadistill as dd
from deltadistill.command.main import main
from deltadistill.runtime.between import Between, FlowForm

OWN = """
def decode(outputs):
    return {"boxes": [[10, 10, 30, 30]], "scores": [float(abs(outputs).max() >= 0)], "labels": [0]}
"""
FLOW = FlowForm()


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Conv2d(3, 4, 3, padding=1).eval()


@pytest.fixture
def written(network, tmp_path, monkeypatch):
    """A function that writes the network as a runner that answers so between key frames."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "film.mp4", drifting(8))

    def write(between):
        example, form = torch.zeros(1, 48, 64, 3, dtype=torch.uint8), dd.PictureForm(size=(48, 64))
        dd.export(network, "runner", example=example, pictures=form, period=4, between=between)

    return write


def lines():
    return [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]


def ran(*more):
    line = ["runner", "film.mp4", "--engine", "onnxruntime", "--threads", "1", "--scene-cut", "0", *more]
    return main(["run", *line, "--jsonl", "out.jsonl"])


def test_labels_are_moved_between_key_frames(written):
    written(Between(kind="moved", flow=FLOW, decoder="labels"))
    assert ran() == 0
    assert [line["key"] for line in lines()] == [True, False, False, False] * 2
    assert all("shares" in line for line in lines())


def test_copies_are_made_of_what_was_decoded(written):
    written(Between(kind="copied"))
    assert ran("--period", "2") == 0
    found = lines()
    assert found[0]["shares"] == found[1]["shares"]
    assert [line["key"] for line in found[:3]] == [True, False, True]


def test_boxes_of_a_decoder_of_ones_own_are_moved_where_it_is_named(written, capsys):
    written(Between(kind="moved", flow=FLOW))
    Path("mine.py").write_text(OWN)
    assert ran() == 2
    assert "a decoder of its maker's own" in capsys.readouterr().err
    assert ran("--adapter", "mine.py") == 0
    assert lines()[0]["boxes"][0]["box"] == [10, 10, 30, 30]
    assert lines()[3]["boxes"][0]["box"][0] > 10.5
    line = ["bench", "runner", "film.mp4", "--frames", "4", "--rounds", "1", "--adapter", "mine.py"]
    assert main([*line, "--engine", "onnxruntime", "--json"]) == 0
