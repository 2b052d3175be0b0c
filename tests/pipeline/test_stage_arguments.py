"""The command line of stages."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deltadistill.pipeline import stage_arguments
from deltadistill.pipeline.results.files import MissingError

ROOT = Path(__file__).resolve().parents[2]
STAGES = sorted((ROOT / "stages").glob("*.py"))


@pytest.fixture(autouse=True)
def nobody_watches(monkeypatch):
    """What a stage begins for as long as its process lives."""
    monkeypatch.setattr(stage_arguments, "watch_spinning", lambda: None)


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


def fail(error):
    raise error


def test_an_error_of_the_user_ends_as_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stages/distill.py"])
    monkeypatch.delenv(stage_arguments.TRACEBACK, raising=False)
    with pytest.raises(SystemExit) as ended:
        stage_arguments.run(lambda: fail(ValueError("rank 64 is too high; lower it")))
    assert ended.value.code == 1
    assert capsys.readouterr().err == "distill: rank 64 is too high; lower it\n"


def test_a_kind_of_error_that_the_library_defines_is_one_of_the_user_too(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["stages/write_report.py"])
    monkeypatch.delenv(stage_arguments.TRACEBACK, raising=False)
    with pytest.raises(SystemExit):
        stage_arguments.run(lambda: fail(MissingError("sweep.json is missing; run that stage first")))
    assert capsys.readouterr().err == "write_report: sweep.json is missing; run that stage first\n"


def test_a_bug_keeps_its_traceback_and_an_error_of_the_user_gets_it_on_request(monkeypatch):
    for bug in (KeyError("x"), json.JSONDecodeError("no value", "", 0)):
        with pytest.raises(type(bug)):
            stage_arguments.run(lambda bug=bug: fail(bug))
    monkeypatch.setenv(stage_arguments.TRACEBACK, "1")
    with pytest.raises(ValueError, match="rank"):
        stage_arguments.run(lambda: fail(ValueError("rank")))


def end_of(stage, *given, folder=ROOT):
    """The exit code of a stage and what it says."""
    command = [
        sys.executable,
        str(ROOT / "stages" / f"{stage}.py"),
        "--params",
        str(ROOT / "params.yaml"),
        *given,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return done.returncode, done.stderr


@pytest.mark.parametrize("stage", STAGES, ids=lambda path: path.stem)
def test_every_stage_ends_by_the_same_way(stage):
    assert stage.read_text().endswith('if __name__ == "__main__":\n    stage_arguments.run(main)\n')


def test_an_unknown_variant_is_named_with_those_that_there_are(tmp_path):
    places = [
        word for name in ("data", "network", "teacher", "artifacts") for word in (f"--{name}", "nothing")
    ]
    code, said = end_of(
        "sweep_sequence_length", *places, "--results", "r", "--variant", "dleta", folder=tmp_path
    )
    assert code == 1
    assert said.startswith("sweep_sequence_length: --variant dleta: not in variants of the parameter file")
    assert "delta" in said.split("which has")[1]
    assert len(said.splitlines()) == 1


def test_what_the_parameters_name_may_lie_in_the_folder_that_a_stage_is_run_from(tmp_path):
    (tmp_path / "extensions" / "code").mkdir(parents=True)
    (tmp_path / "extensions" / "code" / "mine.py").write_text("print('imported')\n")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "stage.py").write_text(
        "from importlib import import_module\n"
        "from deltadistill.pipeline import stage_arguments\n"
        "stage_arguments.run(lambda: import_module('extensions.code.mine'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "stages/stage.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "imported\n"


def test_a_network_that_is_not_there_is_named_with_the_stage_that_makes_it(tmp_path):
    code, said = end_of("collect_networks", "--artifacts", str(tmp_path))
    assert code == 1
    assert (
        "pretrain_teacher/teacher.pt: no such network file, which variant teacher needs; run pretrain" in said
    )
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "networks").exists()


def watches(monkeypatch, environment):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    begun = []
    monkeypatch.setattr(stage_arguments, "watch_spinning", lambda: begun.append(1))
    stage_arguments.run(lambda: None)
    return len(begun)


def test_a_stage_watches_how_its_threads_spin(monkeypatch):
    assert watches(monkeypatch, {}) == 1


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "ACTIVE")])
def test_how_threads_wait_is_the_users_to_say(monkeypatch, name, value):
    assert watches(monkeypatch, {name: value}) == 0
    assert os.environ[name] == value
