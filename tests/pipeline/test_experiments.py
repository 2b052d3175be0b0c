"""Overlays change what they name, and taking them off gives back what was there."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deltadistill.files import atomic
from deltadistill.pipeline import experiments as overlay
from deltadistill.pipeline import params

ROOT = Path(__file__).resolve().parents[2]
SEEDS = "experiment: three\nseeds: [0, 1, 2]\ndistill: {steps: 7}\n"
FEWER = """experiment: fewer
distill:
  trainings: !replace {delta: {method: delta}}
variants: !replace
  teacher: {network: pretrain_teacher, predict: per_frame}
  delta: {network: distill/delta, predict: stream}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the project's params.yaml and two overlays, as the current folder."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "three.yaml").write_text(SEEDS)
    (tmp_path / "experiments" / "fewer.yaml").write_text(FEWER)
    for name in ("params.yaml", overlay.RECORD):
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    overlay.off()  # one may be on in the working tree
    return tmp_path


THREE, ANOTHER = Path("experiments/three.yaml"), Path("experiments/fewer.yaml")


def text() -> str:
    return Path("params.yaml").read_text()


def edited(before: str, key: str, value: str) -> str:
    """The text with the value of the first `key: value` replaced."""
    return re.sub(rf"(\n *{key}:) \S+", rf"\1 {value}", before, count=1)


def test_an_overlay_changes_the_named_values_and_keeps_every_comment(project):
    before = text()
    overlay.put(THREE)
    now = params.load("params.yaml")
    assert (now.experiment, now.seeds, now.distill.steps) == ("three", [0, 1, 2], 7)
    assert [line.partition("#")[2] for line in before.splitlines()] == [
        line.partition("#")[2] for line in text().splitlines()
    ]


def test_off_gives_back_the_file_byte_for_byte(project):
    before = text()
    for name in (THREE, ANOTHER):
        overlay.put(name)
        overlay.off()
        assert text() == before
    assert not overlay.RECORD.exists()


def test_an_edit_of_another_key_survives_off(project):
    before = text()
    overlay.put(ANOTHER)
    Path("params.yaml").write_text(edited(text(), "noise", "0.07"))
    overlay.off()
    assert text() == edited(before, "noise", "0.07") != before


def test_an_edited_key_of_the_overlay_gets_its_own_value_back_with_a_warning(project, caplog):
    before = text()
    overlay.put(THREE)
    Path("params.yaml").write_text(text().replace("steps: 7 ", "steps: 9 "))
    overlay.off()
    assert text() == before
    assert "distill.steps was edited" in caplog.text


def test_a_second_overlay_takes_the_first_off(project):
    before = text()
    overlay.put(THREE)
    overlay.put(ANOTHER)
    now = params.load("params.yaml")
    assert (now.experiment, now.seeds, set(now.variants)) == ("fewer", [0], {"teacher", "delta"})
    overlay.off()
    assert text() == before


def test_put_twice_and_off_twice_are_as_once(project):
    before = text()
    overlay.put(THREE)
    once = text()
    overlay.put(THREE)
    assert text() == once
    assert overlay.off()
    assert overlay.off() == []
    assert text() == before


@pytest.mark.parametrize("written", [1, 2])
def test_an_interrupted_put_loses_nothing(project, monkeypatch, written):
    before, writes, write = text(), [], overlay._write

    def interrupted(path, content):
        if len(writes) == written - 1:
            raise KeyboardInterrupt
        writes.append(path)
        write(path, content)

    monkeypatch.setattr(overlay, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        overlay.put(THREE)
    monkeypatch.setattr(overlay, "_write", write)
    overlay.off()
    assert text() == before


def test_an_interrupted_off_loses_nothing(project, monkeypatch):
    before = text()
    overlay.put(THREE)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(atomic, "file", _plain_write)
    with pytest.raises(KeyboardInterrupt):
        overlay.off()
    monkeypatch.undo()
    monkeypatch.chdir(project)
    assert text() == before
    overlay.put(ANOTHER)
    overlay.off()
    assert text() == before


class _plain_write:  # noqa: N801  (stands in for the function atomic.file, which also unlinks)
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        return False


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("experiment: x\ndistill: {stepps: 3}\n", "distill.stepps: unknown key"),
        ("experiment: x\ndistill: {steps: many}\n", "distill.steps"),
        ("experiment: x\nseeds: {a: 1}\n", "seeds"),
        ("seeds: [1]\n", "experiment: wrong"),
        ("experiment: [x\n", r"wrong.yaml: not valid YAML: [\s\S]*line 2"),
        ("", "experiment: wrong"),
    ],
)
def test_a_wrong_overlay_is_refused_and_changes_nothing(project, content, named):
    before = text()
    Path("experiments/wrong.yaml").write_text(content)
    with pytest.raises(ValueError, match=named):
        overlay.put(Path("experiments/wrong.yaml"))
    assert text() == before
    assert not overlay.RECORD.exists()


def test_a_refused_overlay_leaves_the_one_that_is_on(project):
    overlay.put(THREE)
    now = text()
    with pytest.raises(ValueError, match=r"no such overlay.*fewer, three"):
        overlay.put(Path("experiments/none.yaml"))
    assert text() == now


@pytest.mark.parametrize(("name", "extra"), [("street", []), ("mine", ["experiment=street"])])
def test_an_overlay_cannot_bear_the_name_of_params_itself(project, name, extra):
    before = text()
    Path("experiments/mine.yaml").write_text(f"experiment: {name}\nseeds: [4]\n")
    with pytest.raises(
        ValueError, match=r"mine.yaml: experiment 'street' is the name of .* `experiment: mine`"
    ):
        overlay.put(Path("experiments/mine.yaml"), extra)
    assert text() == before
    assert not overlay.RECORD.exists()


@pytest.mark.parametrize("content", ["", "before: [", "just: this\n"])
@pytest.mark.parametrize("action", ["off", "show", "put"])
def test_a_damaged_record_is_refused_and_changes_nothing(project, capsys, content, action):
    overlay.put(THREE)
    now = text()
    overlay.RECORD.write_text(content)
    assert overlay.main([action, str(ANOTHER)] if action == "put" else [action]) == 1
    assert ".overlay.yaml is damaged" in capsys.readouterr().err
    assert text() == now
    assert overlay.RECORD.read_text() == content


def test_a_missing_or_broken_params_file_is_named(project, capsys):
    Path("params.yaml").write_text("a: [")
    assert overlay.main(["put", str(THREE)]) == 1
    assert "params.yaml: not valid YAML" in capsys.readouterr().err
    Path("params.yaml").write_text("")
    assert overlay.main(["put", str(THREE)]) == 1
    assert "params.yaml: expected sections, got NoneType" in capsys.readouterr().err
    Path("params.yaml").unlink()
    assert overlay.main(["put", str(THREE)]) == 1
    assert "params.yaml: no such parameter file" in capsys.readouterr().err


def test_a_value_on_the_command_line_that_is_no_yaml_is_named(project):
    with pytest.raises(ValueError, match="--set seeds: not valid YAML"):
        overlay.put(THREE, ["seeds=[1"])


def test_further_values_can_be_set_on_the_command_line(project, capsys):
    assert overlay.main(["put", str(THREE), "--set", "distill.steps=11", "--set", "seeds=[4]"]) == 0
    now = params.load("params.yaml")
    assert (now.distill.steps, now.seeds) == (11, [4])
    assert "distill.steps: 7 → 11" in capsys.readouterr().out


def test_during_runs_a_command_with_the_overlay_and_puts_back_what_was_on(project):
    overlay.put(ANOTHER)
    code = overlay.during(THREE, [], ["sh", "-c", "cp params.yaml seen.yaml; exit 3"])
    assert code == 3
    assert YAML(typ="safe").load(Path("seen.yaml"))["experiment"] == "three"
    assert params.load("params.yaml").experiment == "fewer"


def start_during(code):
    """Start `during` with Python code as the command, which makes the file `up` when it is ready."""
    arguments = [
        "-m",
        "deltadistill.pipeline.experiments",
        "during",
        str(THREE),
        "--",
        sys.executable,
        "-c",
        code,
    ]
    process = subprocess.Popen([sys.executable, *arguments], start_new_session=True)
    while not Path("up").exists():
        time.sleep(0.05)
    return process


def test_a_terminated_run_takes_the_overlay_off_again(project):
    before = text()
    process = start_during("import time; open('up', 'w').close(); time.sleep(60)")
    assert text() != before
    process.terminate()
    assert process.wait(timeout=30) not in (0, None)
    assert text() == before


HAS_A_CHILD = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: None)
code = '''
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(open('told', 'w').close()))
open('up', 'w').close()
time.sleep(60)
'''
sys.exit(subprocess.call([sys.executable, "-c", code]))
"""


def test_processes_that_the_command_started_are_told_to_end_too(project):
    process = start_during(HAS_A_CHILD)
    process.terminate()
    assert process.wait(timeout=30) == 0
    assert Path("told").exists()


TAKES_ITS_TIME = """
import signal, sys, time
came = []
signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
open('up', 'w').close()
while not came:
    time.sleep(0.01)
time.sleep(2)
open('seen.yaml', 'w').write(open('params.yaml').read())
sys.exit(len(came))
"""


@pytest.mark.parametrize("presses", [1, 2])
def test_the_overlay_stays_on_until_an_interrupted_command_has_ended(project, presses):
    before = text()
    process = start_during(TAKES_ITS_TIME)
    for _ in range(presses):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        time.sleep(0.5)
    assert process.poll() is None
    assert text() != before
    assert process.wait(timeout=30) == presses  # each was heard once
    assert YAML(typ="safe").load(Path("seen.yaml"))["experiment"] == "three"
    assert text() == before


@pytest.mark.parametrize("file", sorted((ROOT / "experiments").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_overlay_of_the_project_fits_on_params_and_bears_its_own_name(project, file):
    overlay.put(file)
    assert params.load("params.yaml").experiment == file.stem
