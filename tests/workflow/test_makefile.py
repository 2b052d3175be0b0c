"""The Makefile explains itself and says what it needs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()


# A make around the tests hands on its flags and level by these; they change what a make inside prints.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
}


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        check=False,
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


@pytest.mark.parametrize("target", ["video", "study"])
def test_a_missing_video_is_named(target):
    done = make(target, "VIDEO=/nowhere/my street.mp4", "INSTALLED=", "TEACHER=")
    assert done.returncode
    assert f"make {target} VIDEO=path: '/nowhere/my street.mp4' is not there" in done.stderr


def test_a_video_with_a_network_of_its_own_needs_no_teacher(tmp_path):
    (tmp_path / "ride.mp4").touch()
    words = ["--dry-run", "video", f"VIDEO={tmp_path / 'ride.mp4'}", "INSTALLED=", "TEACHER=trained.pt"]
    assert "pretrain_teacher" in make(*words).stdout
    done = make(*words, "NETWORK=net.py:build", "OPTIONS=--minutes 5")
    assert "pretrain_teacher" not in done.stdout
    assert '--network "$NETWORK" --minutes 5' in done.stdout


def test_a_video_that_is_an_address_is_called_one():
    done = make("video", "VIDEO=https://example.org/a.mp4", "INSTALLED=", "TEACHER=")
    assert done.returncode
    assert "'https://example.org/a.mp4' is an address; download it first" in done.stderr


def test_a_video_in_the_home_folder_is_found_before_anything_is_installed(tmp_path):
    (tmp_path / "my ride.mp4").touch()
    for name, code in (("my ride.mp4", 0), ("other.mp4", 2)):
        done = make("video-is-there", f"VIDEO=~/{name}", HOME=str(tmp_path))
        assert done.returncode == code, done.stderr


def test_continuous_integration_runs_all_tests_and_fails_where_any_of_them_fails(tmp_path):
    """With a make that only says what it would make, and fails in one target."""
    script = tmp_path / "clone" / ".ci" / "run"
    script.parent.mkdir(parents=True)
    script.write_text((ROOT / ".ci" / "run").read_text())
    stand_in = tmp_path / "bin" / "make"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\necho "made $1"\n[ "$1" != "$FAILS" ]\n')
    stand_in.chmod(0o755)
    path = f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"

    def run(failing: str) -> subprocess.CompletedProcess:
        environment = ENVIRONMENT | {"PATH": path, "FAILS": failing}
        return subprocess.run(["bash", script], env=environment, capture_output=True, text=True, check=False)

    targets = ("lint", "test", "test-slurm", "test-zoo", "test-processors")
    whole = run("none")
    assert whole.returncode == 0
    assert whole.stdout.splitlines() == [f"made {target}" for target in targets]
    for target in targets:
        failed = run(target)
        assert failed.returncode
        assert f"made {target}" in failed.stdout


def test_the_old_processor_of_the_numerical_tests_is_one_to_pytorch():
    (setting,) = re.findall(r"^OLD_PROCESSOR := (.*)$", MAKEFILE, re.MULTILINE)
    assert setting in make("--dry-run", "test-processors", "INSTALLED=").stdout
    old = dict(variable.split("=") for variable in setting.split())
    asked = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    capability = subprocess.check_output([sys.executable, "-c", asked], env=ENVIRONMENT | old, text=True)
    assert capability.strip() == "DEFAULT"


def test_every_target_that_runs_a_pipeline_holds_the_lock():
    recipes = re.findall(
        r"^\t(.*(?:dvc repro|REPRO|overlay|OVERLAY|own_video|workflow\.sweep).*)$", MAKEFILE, re.MULTILINE
    )
    assert len(recipes) >= 8
    assert [recipe for recipe in recipes if not recipe.startswith(("@$(LOCKED) ", "@echo "))] == []


@pytest.mark.parametrize(
    ("target", "variable", "there"),
    [
        ("check", "EXPERIMENT", "street_detection"),
        ("put", "EXPERIMENT", "street_detection"),
        ("experiment", "EXPERIMENT", "street_detection"),
        ("sweep", "SWEEP", "beta"),
    ],
)
@pytest.mark.parametrize("given", ["", "nowhere"])
def test_an_experiment_that_is_not_there_is_refused_before_anything_is_done(target, variable, there, given):
    done = make(target, f"{variable}={given}", "VENV=not-installed", "PYTHON=false")
    assert done.returncode
    assert f"make {target} {variable}=name: " in done.stderr
    assert f"/{given}.yaml is not there" in done.stderr
    assert there in done.stderr.split()
    assert not done.stdout
