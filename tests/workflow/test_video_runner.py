"""A runner for a video of one's own: the lines that `make video` runs, and what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deltadistill.command.main import _parser
from deltadistill.command.registry import COMMANDS
from workflow import video_runner

ROOT = Path(__file__).resolve().parents[2]
OUTCOME = {
    "command": "deltadistill run runners/video_ride_1 '/a b/ride.mp4' -o out.mp4 --adapter net.yaml",
    "report": "runners/video_ride_1/report.html",
    "is_faster": True,
    "speedup": 1.5,
    "measure": "mIoU of labels",
    "tested": {"fidelity": 0.9876},
    "choice": {"name": "delta γ 4, onnxruntime fp32"},
}


@pytest.fixture
def called(tmp_path, monkeypatch):
    """The lines that were run, in place of running them."""
    lines = []

    def run(line, **options):
        lines.append(line)
        return subprocess.CompletedProcess(line, 0, stdout=json.dumps(OUTCOME).encode())

    (tmp_path / "ride.mp4").touch()
    monkeypatch.setattr(video_runner.subprocess, "run", run)
    monkeypatch.setattr(video_runner.subprocess, "call", lambda line: lines.append(line) or 0)
    return lines


def parsed(line):
    """As the command itself reads it."""
    assert line[:3] == [sys.executable, "-m", "deltadistill"]
    return _parser({name: COMMANDS.find(name) for name in COMMANDS}).parse_args(line[3:])


def test_the_video_is_accelerated_and_drawn_beside_its_runner(called, tmp_path, monkeypatch, capsys):
    words = [str(tmp_path / "ride.mp4"), "--network", "net.py:build", "--minutes", "5"]
    monkeypatch.setattr(sys, "argv", ["video_runner", *words])
    assert video_runner.main() == 0
    first, second = map(parsed, called)
    assert (first.network, first.videos, first.minutes) == ("net.py:build", [str(tmp_path / "ride.mp4")], 5.0)
    assert first.output.startswith("runners/video_ride_")
    assert (second.runner, second.video) == ("runners/video_ride_1", "/a b/ride.mp4")
    assert (second.output, second.adapter) == (f"{first.output}.mp4", "net.yaml")
    printed = capsys.readouterr().out
    assert "×1.50 as fast as the best per-frame run (delta γ 4, onnxruntime fp32)" in printed
    assert "mIoU of labels against the per-frame network 0.9876" in printed
    assert "page: runners/video_ride_1/report.html" in printed


def test_without_a_network_it_is_the_street_teacher_as_its_adapter_says(called, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["video_runner", str(tmp_path / "ride.mp4"), "--network", ""])
    assert video_runner.main() == 0
    line = parsed(called[0])
    assert line.network == "artifacts/street/seed0/pretrain_teacher/teacher.pt"
    assert (ROOT / line.adapter).is_file()


def test_the_adapter_of_the_teacher_is_as_its_data_is_prepared():
    from deltadistill.data.frames import MEAN, STD
    from deltadistill.video.adapter import read_adapter

    adapter = read_adapter(ROOT / "examples" / "street.yaml")
    assert tuple(adapter.pictures["mean"]) == MEAN
    assert tuple(adapter.pictures["deviation"]) == STD
    table = (ROOT / "class_tables" / "street_8.csv").read_text().splitlines()[1:]
    assert list(adapter.showing.categories) == [row.split(",")[1] for row in table]
