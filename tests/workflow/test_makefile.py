"""The Makefile explains itself and says what it needs."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()


# A make around the tests hands on its flags and level by these; they change what a make inside prints.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
}


def make(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_help_lists_every_target_with_a_line_each():
    lines = make("help").stdout.splitlines()
    assert {line.split()[1] for line in lines} == set(TARGETS)
    assert all(len(line.split()) > 3 for line in lines)


def test_make_alone_shows_the_help():
    assert make().stdout == make("help").stdout


def test_without_a_fitting_python_it_says_which_one_is_needed(tmp_path):
    done = make("install", "PYTHON=", f"VENV={tmp_path / 'none'}")
    assert done.returncode
    assert "Python 3.11 or later is needed" in done.stderr


def test_a_missing_video_is_named():
    done = make("video", "VIDEO=/nowhere/my street.mp4", "INSTALLED=", "TEACHER=")
    assert done.returncode
    assert "'/nowhere/my street.mp4' is not there" in done.stderr


def test_continuous_integration_runs_style_and_tests():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.index("make lint") < script.index("make test\n") < script.index("make test-zoo\n")


def test_continuous_integration_fails_where_slurms_tests_fail_beside_the_others(tmp_path):
    """With a make that does nothing but fail in one target."""
    folder = tmp_path / "clone" / ".ci"
    folder.mkdir(parents=True)
    script = folder / "run"
    script.write_text((ROOT / ".ci" / "run").read_text())
    stand_in = tmp_path / "bin" / "make"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\necho "made $1"\n[ "$1" != "$FAILS" ]\n')
    stand_in.chmod(0o755)
    path = f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"
    codes = {}
    for target in ("none", "lint", "test", "test-zoo", "test-slurm"):
        environment = ENVIRONMENT | {"PATH": path, "FAILS": target}
        done = subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)
        codes[target] = done.returncode
        assert target == "none" or f"made {target}" in done.stdout
    assert codes.pop("none") == 0
    assert all(codes.values())


def test_every_target_that_runs_a_pipeline_holds_the_lock():
    recipes = re.findall(
        r"^\t(.*(?:dvc repro|overlay|OVERLAY|own_video|workflow\.sweep).*)$", MAKEFILE, re.MULTILINE
    )
    assert len(recipes) >= 8
    assert [recipe for recipe in recipes if not recipe.startswith(("@$(LOCKED) ", "@echo "))] == []
