"""deltadistill accelerate: the command line, its errors, and what it writes."""

import json
import os
import sys
from pathlib import Path

import pytest
from preparation.small_videos import drifting, write_video

from deltadistill.acceleration import accelerate as accelerating
from deltadistill.acceleration import course as courses
from deltadistill.acceleration.designs import Design
from deltadistill.command.exits import TerminatedError
from deltadistill.command.main import main
from deltadistill.runtime.runner import Runner

NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1),
                         nn.ReLU(), nn.Conv2d(16, 4, 1)).eval()
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(courses, "DESIGNS", (Design(4, "spatial"),))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("net.py").write_text(NETWORK)
    write_video(tmp_path / "film.mp4", drifting(40))
    return tmp_path


def line(*more, minutes="0.2"):
    common = ["--engine", "onnxruntime", "--precision", "fp32", "--threads", "1", "--size", "48x64"]
    return ["accelerate", "net.py:build", "film.mp4", "-o", "runner", "--minutes", minutes, *common, *more]


def test_one_line_gives_a_runner_a_page_and_the_line_that_runs_it(files, capsys):
    assert main(line("--decoder", "labels", "--json")) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert "left] per frame, onnxruntime fp32" in printed.err
    assert result["command"].startswith("deltadistill run runner film.mp4 -o out.mp4 --decoder labels")
    assert result["measure"] == "mIoU of labels"
    assert Path("runner/report.html").is_file()
    assert 'decoder: "labels"' in Path("runner/adapter.yaml").read_text()
    assert Runner("runner", engine="onnxruntime").description.pictures.size == (48, 64)
    assert main(["run", "runner", "film.mp4", "--jsonl", "out.jsonl", "--engine", "onnxruntime"]) == 0
    assert len(Path("out.jsonl").read_text().splitlines()) == 40


def test_an_interrupted_call_writes_the_best_so_far_and_says_130(files, capsys, monkeypatch):
    def interrupted(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(courses, "fills_of", interrupted)
    assert main(line()) == 130
    assert Path("runner/runner.json").is_file()
    assert "interrupted" in Path("runner/report.html").read_text()


@pytest.mark.parametrize(("came", "code"), [(KeyboardInterrupt, 130), (TerminatedError, 143)])
def test_with_json_an_interrupted_call_gives_the_best_so_far(files, capsys, monkeypatch, came, code):
    def interrupted(*given, **options):
        raise came

    monkeypatch.setattr(courses, "fills_of", interrupted)
    assert main(line("--json", minutes="0.05")) == code
    result = json.loads(capsys.readouterr().out)
    assert (result["interrupted"], result["exit"]) == (True, code)
    assert result["choice"]["kind"] == "per frame"
    assert result["command"].startswith("deltadistill run runner")


@pytest.mark.parametrize(
    ("more", "code", "told"),
    [
        (["--minutes", "0"], 1, "no number of minutes above 0"),
        (["--engine", "magic"], 1, "engine 'magic' is unknown"),
        (["--engine", "mine.engines:FAST"], 1, "there is no module 'mine'"),
        (["--truth", "none.txt"], 2, "none.txt"),
        (["--decoder", "magic"], 2, "decoder 'magic' is unknown"),
        (["-o", "film.mp4"], 1, "is a file; name a folder"),
        (["-o", "."], 1, "is no runner; name a folder that may be replaced"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_before_anything_is_tried(files, capsys, more, code, told):
    code_found = main(line(*more))
    printed = capsys.readouterr().err
    assert told in printed
    assert code_found == code
    assert "per frame" not in printed


OWN_ENGINE = """
from deltadistill.runtime.onnxruntime_engine import OnnxRuntime


class Mine(OnnxRuntime):
    def reason_against(self, graphs, *, precision, device):
        return None if precision == "fp32" else "it computes in fp32 alone"


ENGINE = Mine()
"""


def test_an_engine_of_ones_own_is_tried_and_named_in_the_line_that_runs_the_runner(
    files, capsys, monkeypatch
):
    Path("my_engines.py").write_text(OWN_ENGINE)
    monkeypatch.syspath_prepend(files)
    monkeypatch.delitem(sys.modules, "my_engines", raising=False)
    words = line("--engine", "my_engines:ENGINE", "--precision", "bf16", "--json", minutes="0.05")
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    found = {(trial["engine"], trial["precision"]) for trial in result["trials"]}
    assert found == {("my_engines:ENGINE", "fp32")}  # which is all that it computes in
    assert result["command"].endswith("--engine my_engines:ENGINE")
    run = ["run", "runner", "film.mp4", "--jsonl", "out.jsonl", "--engine", "my_engines:ENGINE"]
    assert main(run) == 0


def test_a_network_without_a_size_asks_for_one(files, capsys):
    words = line()
    at = words.index("--size")
    assert main(words[:at] + words[at + 2 :]) == 1
    assert "--size HEIGHTxWIDTH, or an adapter" in capsys.readouterr().err


def test_a_folder_without_a_runner_is_not_replaced(files, capsys):
    os.mkdir("runner")
    Path("runner/thesis.txt").write_text("all of it")
    assert main(line()) == 1
    assert Path("runner/thesis.txt").is_file()


def test_trials_are_tracked_where_the_environment_says_so(files, capsys, monkeypatch):
    tracked = []
    monkeypatch.setattr(accelerating.tracking, "log", lambda case, outcome: tracked.extend(outcome.trials))
    assert main(line(minutes="0.1")) == 0
    assert tracked[0].kind == "per frame"
