"""Puts bugs into the library, one at a time, and sees whether its tests notice: make test-mutants.

Rooms, tests, mutations and those known to change nothing: mutants.yaml. The tests of a room run once without
a mutant; a mutant then meets those that run its statement, the fastest first.
"""

import argparse
import compileall
import gc
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

import pytest
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from ruamel.yaml import YAML

from workflow.covering_tests import Covering, Notes, Only, files_of, read_notes
from workflow.mutations import ROOT, Mutant, draw

SETTINGS = ROOT / "workflow" / "mutants.yaml"
_LEAST_S, _LONGEST_S = (
    60.0,
    1800.0,
)  # after which tests may count as hanging, and four times what they take without a mutant
PYTEST = ["-x", "-q", "-p", "no:cacheprovider"]


def is_caught(mutant: Mutant, covering: Covering) -> bool:
    """Whether any of the tests fail, or do not end, with the mutant in the working folder's copy."""
    tests = covering.of(mutant.path, mutant.place[0])
    limit_s = _LEAST_S + 4 * sum(covering.seconds[test] for test in tests)
    with use_mutation(Path(mutant.path), get_operator(mutant.operator)(), mutant.occurrence):
        return bool(tests) and not passes(files_of(tests), limit_s, Only(tests))


def covering_of(room: str, files: Sequence[str], told: Path) -> Covering:
    """Run the tests of a room once without a mutant, and note what each runs."""
    if not passes(files, _LONGEST_S, Notes(room, told)):
        raise SystemExit(f"without any mutant this fails already: pytest {' '.join([*PYTEST, *files])}")
    return read_notes(told)


def passes(files: Sequence[str], limit_s: float, plugin: object) -> bool:
    """Run tests in a child that has the libraries loaded already, as they take longer than most tests."""
    child = os.fork()
    if not child:
        _run(files, plugin)
    try:
        ends = time.monotonic() + limit_s
        while time.monotonic() < ends:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status == 0
            time.sleep(0.05)
        return False
    finally:  # and what a test has started
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(child, 0)


def _run(files: Sequence[str], plugin: object) -> None:
    """Be a process of nothing but these tests, and end."""
    code = 1
    try:
        os.setsid()
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        code = pytest.main([*PYTEST, *files], plugins=[plugin])
    finally:
        os._exit(code)


def room_of(path: str, rooms: dict[str, list[str]]) -> str:
    """The room of a file."""
    (room,) = (room for room in rooms if path.startswith(f"{room}/"))
    return room


def tests_of(room: str, rooms: dict[str, list[str]]) -> list[str]:
    """The test files of a room."""
    named = [ROOT / name for name in rooms[room]]
    files = [
        test for name in named for test in ([name] if name.is_file() else sorted(name.rglob("test_*.py")))
    ]
    return [str(test.relative_to(ROOT)) for test in files]


def copy_project(folder: Path) -> None:
    """Copy what Git knows or would add: the working tree itself never holds a mutant."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def enter(folder: str, preloaded: Sequence[str]) -> None:
    """Let all that is imported from now on come from a copy of the project."""
    # By content: two mutants of one second and one size would be taken for the same.
    by_content = PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(Path(folder) / "deltadistill", quiet=1, invalidation_mode=by_content)
    os.chdir(folder)
    sys.path.insert(0, folder)
    os.environ |= {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    for name in preloaded:
        importlib.import_module(name)
    gc.freeze()


def try_all(
    mutants: list[Mutant], settings: dict[str, Any], folder: Path, *, minutes: float
) -> tuple[int, int, int]:
    """Try mutants one after the other; how many were tried, survived, and are known to change nothing."""
    known = {(entry["file"], entry["line"], entry["becomes"]) for entry in settings["equivalent"]}
    ends, covered, tried, survived, equivalent = time.monotonic() + 60 * minutes, {}, 0, 0, 0
    for mutant in mutants:
        before, after = mutant.change()
        if (mutant.path, before, after) in known:
            equivalent += 1
            continue
        room = room_of(mutant.path, settings["rooms"])
        if room not in covered:
            covered[room] = covering_of(room, tests_of(room, settings["rooms"]), folder / "lines.json")
        if time.monotonic() > ends:
            break
        caught = is_caught(mutant, covered[room])
        tried, survived = tried + 1, survived + (not caught)
        print(
            f"{'caught  ' if caught else 'SURVIVED'} {mutant.path}:{mutant.place[0]}: {before}  →  {after}",
            flush=True,
        )
    return tried, survived, equivalent


def main() -> int:
    """Try a sample; 1 where fewer are caught than mutants.yaml asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other mutants")
    parser.add_argument("--mutants", type=int, default=120, help="how many to draw")
    parser.add_argument("--minutes", type=float, default=55, help="after which no further one is begun")
    parser.add_argument("--within", default="", help="only files whose path begins so")
    options = parser.parse_args()
    settings = YAML(typ="safe").load(SETTINGS)
    drawn = [mutant for mutant in draw(settings, options.seed) if mutant.path.startswith(options.within)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy_project(Path(folder))
        enter(folder, settings["preloaded"])
        notes = Path(folder) / "lines"
        notes.mkdir()
        counts = try_all(drawn[: options.mutants], settings, notes, minutes=options.minutes)
        os.chdir(ROOT)
    tried, survived, equivalent = counts
    share = 1 - survived / max(tried, 1)
    print(
        f"seed {options.seed}: {tried - survived} of {tried} caught, {share:.1%}; "
        f"{equivalent} more are known to change nothing (workflow/mutants.yaml)"
    )
    return int(share < settings["least_caught"])


if __name__ == "__main__":
    sys.exit(main())
