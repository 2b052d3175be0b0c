"""The console script: help, exit codes, errors in one sentence, and what it does not import."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from deltadistill.command import exits
from deltadistill.command.command import Command
from deltadistill.command.main import main
from deltadistill.command.registry import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


def command_that(work, monkeypatch):
    """A console script with one command, `try`, that calls `work`."""
    monkeypatch.setattr(sys.modules[__name__], "_work", work, raising=False)
    made = Command("tries", "deltadistill try", lambda parser: None, f"{__name__}:_work")
    monkeypatch.setattr(sys.modules[__name__], "_made", made, raising=False)
    monkeypatch.setitem(COMMANDS.entries, "try", f"{__name__}:_made")


def raising(error):
    def work(arguments):
        raise error

    return work


def test_the_script_of_the_package_is_there():
    module, _, name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"][
        "deltadistill"
    ].partition(":")
    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_shows_an_example_and_the_exit_codes_and_imports_no_torch(name):
    line = f"sys.argv[1:] = {[*name.split(), '--help']}"
    code = f"import sys; {line}; from deltadistill.command.main import script\ntry:\n script()\nfinally:\n"
    code += " print('torch' in sys.modules, 'cv2' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("False False\n")
    assert exits.TABLE.splitlines()[1] in run.stdout
    assert not name or f"deltadistill {name} " in run.stdout.partition("example:")[2]


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ValueError("the video is empty; give another"), 2, "the video is empty; give another"),
        (FileNotFoundError(2, "No such file or directory", "a.mp4"), 2, "a.mp4: No such file or directory"),
        (exits.UsageError("no such option"), 1, "no such option"),
        (exits.OutputError("out.mp4 cannot be written"), 3, "out.mp4 cannot be written"),
        (PermissionError(13, "Permission denied", "out.mp4"), 3, "out.mp4: Permission denied"),
        (OSError(28, "No space left on device", "out.mp4"), 3, "out.mp4: No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (exits.TerminatedError(), 143, "ended by SIGTERM"),
    ],
)
def test_what_ends_a_command_is_one_sentence_and_a_code(error, code, sentence, monkeypatch, capsys):
    command_that(raising(error), monkeypatch)
    assert main(["try"]) == code
    assert capsys.readouterr() == ("", f"deltadistill: {sentence}\n")


def test_a_fault_of_the_program_says_where_it_is_and_shows_the_way_when_asked(monkeypatch, capsys):
    command_that(raising(ZeroDivisionError("by zero")), monkeypatch)
    assert main(["try"]) == 70
    assert "ZeroDivisionError: by zero; DELTADISTILL_TRACEBACK=1 shows" in capsys.readouterr().err
    monkeypatch.setenv(exits.TRACEBACK, "1")
    with pytest.raises(ZeroDivisionError):
        main(["try"])


def test_with_json_the_result_is_one_object_and_so_is_an_error(monkeypatch, capsys):
    command_that(lambda arguments: {"frames": 3}, monkeypatch)
    assert main(["try", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"frames": 3}
    command_that(raising(ValueError("empty")), monkeypatch)
    assert main(["try", "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {"error": "empty", "exit": 2}


@pytest.mark.parametrize(("by", "code"), [(KeyboardInterrupt(), 130), (exits.TerminatedError(), 143)])
def test_what_an_interrupted_command_had_done_is_its_object_with_json(by, code, monkeypatch, capsys):
    command_that(raising(exits.UnfinishedError({"frames": 3}, by)), monkeypatch)
    assert main(["try", "--json"]) == code
    assert json.loads(capsys.readouterr().out) == {"frames": 3, "interrupted": True, "exit": code}
    assert main(["try"]) == code
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("line", [["nothing"], ["inspect"], ["inspect", "x", "--size", "big"], ["--no"]])
def test_a_wrong_command_line_ends_with_1_and_names_what_there_is(line, capsys):
    assert main(line) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--help shows what there is" in error


def test_without_a_command_the_help_is_shown(capsys):
    assert main([]) == 1
    assert "inspect" in capsys.readouterr().out


def test_sigterm_closes_what_is_open(monkeypatch, capsys):
    closed = []

    def work(arguments):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            closed.append(True)

    command_that(work, monkeypatch)
    assert (main(["try"]), closed) == (143, [True])
