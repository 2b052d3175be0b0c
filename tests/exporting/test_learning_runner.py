"""Runners that learn while they run: in the library, from the command line, and where a folder is damaged."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from preparation.small_videos import drifting, write_video
from torch import nn

import deltadistill as dd
from deltadistill.command import opened_runner
from deltadistill.command.main import main
from deltadistill.exporting.learning_runner import LearningRunner, read_learner, write_learner
from deltadistill.online.label_stream import LabelStudent
from deltadistill.online.settings import Settings

SIZE = (48, 64)
SETTINGS = Settings(threshold=0.9, updates=2, shortest=3, longest=6)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Conv2d(3, 4, 3, padding=1).eval()


@pytest.fixture(scope="module")
def student():
    torch.manual_seed(1)
    return LabelStudent(4, SIZE, width=0.5).eval()


@pytest.fixture
def folder(network, student, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "film.mp4", drifting(8))
    example, form = torch.zeros(1, *SIZE, 3, dtype=torch.uint8), dd.PictureForm(size=SIZE)
    dd.export(network, "runner", example=example, pictures=form, period=1)
    write_learner(Path("runner"), student, SETTINGS)
    return Path("runner")


def pictures(count=8):
    return [np.ascontiguousarray(frame)[None] for frame in drifting(count)]


def opened(folder):
    return LearningRunner(folder, engine="onnxruntime", threads=1)


def test_labelled_frames_have_the_networks_labels_and_the_stride_says_when(folder, network):
    runner = opened(folder)
    in_full = dd.Runner(folder, engine="onnxruntime", period=1)
    keys = []
    for picture in pictures():
        answer = runner(picture)["label_map"]
        assert (answer.shape, answer.dtype) == (SIZE, np.uint8)
        if runner.is_key_frame:
            assert (answer == np.asarray(in_full(picture)).argmax(1)[0]).all()
        keys.append(runner.is_key_frame)
    assert keys[:4] == [True, False, False, True]  # the shortest stride is three frames


def test_it_learns_and_forgets(folder):
    runner, seen = opened(folder), pictures()
    first = [runner(picture)["label_map"] for picture in seen[:3]]
    runner.refresh()
    runner(seen[0])
    assert runner.is_key_frame
    assert runner(seen[1])["label_map"].tobytes() != first[1].tobytes()  # it has learned on since
    runner.reset()
    again = [runner(picture)["label_map"] for picture in seen[:3]]
    assert all((one == other).all() for one, other in zip(first, again, strict=True))


def test_another_video_has_a_student_of_its_own(folder):
    runner, seen = opened(folder), pictures()
    other = runner.another()
    alone = [opened(folder)(picture)["label_map"] for picture in seen[:1]]
    for picture in seen[:4]:
        runner(picture)
    assert (other(seen[0])["label_map"] == alone[0]).all()
    assert other.description.pictures == runner.description.pictures


def test_the_file_says_who_learns_and_how_in_plain_words(folder):
    said = json.loads((folder / "online.json").read_text())
    assert said["settings"] == {"threshold": 0.9, "updates": 2, "shortest": 3, "longest": 6}
    assert (said["classes"], said["width"], said["size"]) == (4, 0.5, [48, 64])
    assert read_learner(folder).made().network.conv2.out_channels == 16


def test_a_map_of_another_size_than_the_frames_is_learned_at_its_own():
    logits = LabelStudent(3, (6, 8), width=0.25)(torch.zeros(1, 3, 48, 64))
    assert logits.shape == (1, 3, 6, 8)


def test_the_command_runs_and_times_it(folder, capsys):
    line = ["runner", "film.mp4", "--engine", "onnxruntime", "--threads", "1", "--scene-cut", "0"]
    assert main(["run", *line, "--jsonl", "out.jsonl"]) == 0
    found = [json.loads(each) for each in Path("out.jsonl").read_text().splitlines()]
    assert [each["key"] for each in found[:4]] == [True, False, False, True]
    assert all("shares" in each for each in found)
    assert main(["bench", *line, "--frames", "4", "--rounds", "1", "--json"]) == 0
    assert main(["run", *line, "--period", "1", "--jsonl", "full.jsonl"]) == 0
    full = [json.loads(each) for each in Path("full.jsonl").read_text().splitlines()]
    assert all(each["key"] for each in full)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["run", "runner", "film.mp4", "--period", "4", "--jsonl", "o"], 1, "its stride says which frames"),
        (["export", "runner", "--format", "onnx"], 2, "which no graph does"),
    ],
)
def test_what_such_a_runner_cannot_do_is_said(folder, command, code, said, capsys):
    assert main(command) == code
    assert said in capsys.readouterr().err


def test_without_pytorch_the_command_says_what_to_install(folder, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "deltadistill.exporting.learning_runner")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["run", "runner", "film.mp4", "--jsonl", "out.jsonl"]) == 2
    assert "torch is not installed: pip install 'deltadistill[torch]'" in capsys.readouterr().err
    assert opened_runner.LEARNER == "online.json"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "online.json").unlink(), "online.json is not there: in this runner nobody learns"),
        (lambda f: (f / "online.json").write_text("{"), "is not JSON"),
        (lambda f: put(f, classes=1), "classes: Input should be greater than or equal to 2"),
        (lambda f: put(f, student={"file": "../x", "sha256": "0" * 64}), "no plain file name"),
        (lambda f: put(f, settings={"thresold": 0.5}), "settings: .*thresold"),
        (lambda f: put(f, settings={"threshold": 2.0}), "threshold 2.0 must be a score"),
        (lambda f: (f / "student.pt").write_bytes(b"0"), "is not what was written"),
        (lambda f: put(f, width=1.0), "holds no weights of the student"),
    ],
)
def test_damage_is_named_with_the_file_and_what_to_do(folder, damage, said):
    damage(folder)
    with pytest.raises(ValueError, match=said) as raised:
        opened(folder)
    assert re.search("runner/(online.json|student.pt)", str(raised.value))


def put(folder, **values):
    path = folder / "online.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
