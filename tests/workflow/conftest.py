"""A copy of the project whose stage scripts are stand-ins, so that the real graph runs in seconds."""

import fcntl
import os
import shutil
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest
import smoke

from deltadistill.files import commented_yaml

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("stand_in.py")
CODE_AND_RESULTS = ("deltadistill", "networks", "results", "stages")
KEPT = ("collect_networks", "trace_code")  # stages that only copy or read source files
FOLDERS = (
    ".dvc",
    "stages",
    "extensions",
    "workflow",
    "profiles",
    "deltadistill",
    "weights",
    "networks",
    "class_tables",
    "examples",
)
OF_EACH_KIND = {"teacher", "finetuned", "delta", "copy"}  # trained with students or without, or not at all
FILES = (".dvcignore", ".gitignore", "Snakefile", "dvc.yaml", "params.yaml")


class Project:
    """A folder with the project's graph in it, and a way to run commands there."""

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def environment(self) -> dict[str, str]:
        """The variables that commands run with."""
        identity = {
            f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **identity, "DELTADISTILL_TRACKING": "off", "COLUMNS": "400", "PATH": path}

    def run(self, *command: str, check: bool = True) -> str:
        """What a command prints; a failure fails the test unless `check` is off."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout if done.returncode == 0 and "dot" in command else done.stdout + done.stderr

    def set(self, key: str, value: object) -> None:
        """Change a value of params.yaml."""
        path = self.folder / "params.yaml"
        document = commented_yaml.load(path)
        *sections, name = key.split(".")
        section = reduce(lambda inner, part: inner[part], sections, document)
        assert section[name] != value
        commented_yaml.assign(section, name, value)
        path.write_text(commented_yaml.dump(document))

    def commit(self) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "as it is")


def copy_project(folder: Path) -> Project:
    """The files that define the graph, in a repository of their own."""
    leave_out = shutil.ignore_patterns("tmp", "cache", "*.pyc.*")  # what is compiled whole goes along
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    project = Project(folder)
    if (ROOT / ".overlay.yaml").is_file():  # one is on in the working tree
        shutil.copy(ROOT / ".overlay.yaml", folder)
        project.run("python", "-m", "deltadistill.pipeline.experiments", "off")
    project.run("git", "init", "--quiet")
    project.commit()
    return project


@pytest.fixture(scope="session")
def untouched(tmp_path_factory):
    """The project as it is, with nothing run."""
    return copy_project(tmp_path_factory.mktemp("untouched"))


def put_stand_ins(project: Project) -> None:
    """Put stand-ins in place of all stage scripts but those that only copy or read source files."""
    for script in (project.folder / "stages").glob("*.py"):
        if script.stem not in KEPT:
            shutil.copy(STAND_IN, script)
    project.commit()


@pytest.fixture(scope="session")
def _finished(tmp_path_factory):
    """Run through once for all processes of tests: each of them has a copy."""
    whole = _of_all_processes(tmp_path_factory) / "whole"
    with whole.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.is_dir():
            _run_through(whole.with_suffix(".part")).folder.rename(whole)
    return Project(shutil.copytree(whole, tmp_path_factory.mktemp("finished") / "project", symlinks=True))


def _of_all_processes(tmp_path_factory) -> Path:
    """The folder of this run of the tests, below which every process has its own."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def _run_through(folder: Path) -> Project:
    folder.mkdir()
    project = copy_project(folder)
    smoke.keep_variants(project.folder, OF_EACH_KIND)
    put_stand_ins(project)
    project.run("dvc", "repro")
    project.commit()
    return project


@pytest.fixture
def finished(_finished):
    """The project with stand-ins, run through by DVC with some variants and committed; tests find it so."""
    before = outputs(_finished)
    yield _finished
    _finished.run("git", "reset", "--quiet", "--hard")
    _finished.run("git", "clean", "--quiet", "--force", "-d", "--", *CODE_AND_RESULTS)
    if outputs(_finished) != before:  # most tests only look, and DVC takes a second to find that out
        _finished.run("dvc", "checkout", "--quiet")


def outputs(project: Project) -> dict[Path, tuple[int, int, int]]:
    """What tells a file of data/ or artifacts/ from a later one of its name."""
    found = [path for top in ("data", "artifacts") for path in (project.folder / top).rglob("*")]
    status = {path: path.lstat() for path in found if not path.is_dir()}
    return {path: (of.st_ino, of.st_size, of.st_mtime_ns) for path, of in status.items()}
