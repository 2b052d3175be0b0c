"""What `make test-mutants` reads fits the project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deltadistill.files.plain_yaml import parse_yaml, read_yaml_text
from workflow.covering_tests import Covering, files_of, read_notes, statement_lines

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = parse_yaml(read_yaml_text(ROOT / "workflow" / "mutants.yaml"), name="mutants.yaml")


@pytest.mark.parametrize("room", SETTINGS["rooms"])
def test_every_room_has_modules_and_tests(room):
    assert list((ROOT / room).glob("*.py"))
    for tests in SETTINGS["rooms"][room]:
        assert (ROOT / tests).is_file() or list((ROOT / tests).rglob("test_*.py")), tests


@pytest.mark.parametrize("path", SETTINGS["without"])
def test_what_is_left_out_is_a_file_of_a_room(path):
    assert (ROOT / path).is_file()
    assert path.startswith(tuple(f"{room}/" for room in SETTINGS["rooms"]))


@pytest.mark.parametrize("entry", SETTINGS["equivalent"], ids=lambda entry: entry["line"])
def test_a_mutant_that_changes_nothing_is_of_a_line_that_is_still_there(entry):
    lines = [line.strip() for line in (ROOT / entry["file"]).read_text().splitlines()]
    assert entry["line"] in lines
    assert entry["becomes"] != entry["line"]
    assert len(entry["why"].split()) > 3


SOURCE = """\
A = (1,
     2)

@cached
def f(x,
      y=3):
    for a in range(
        4
    ):
        b = a
    return b

class C:
    width: int = 5
    def g(self): return 6

try:
    A = 1
except (KeyError,
        ValueError):
    A = 2
"""


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (1, {1, 2}), (2, {1, 2}),  # a statement of two lines
        *((line, {7, 8, 9, 10, 11}) for line in (4, 5, 6)),  # a decorator, a head, a default: the function
        (8, {7, 8, 9}),  # the head of a loop, without what it repeats
        (10, {10}), (11, {11}), (14, {14}), (15, {15}), (18, {18}), (19, {19}), (21, {21}),
    ],
)  # fmt: skip
def test_a_mutant_meets_the_tests_that_run_its_statement(line, lines):
    assert statement_lines(SOURCE, line) == lines


def test_tests_that_a_mutant_may_concern_are_the_fastest_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("room.py").write_text(SOURCE)
    lines = {
        "a::slow": {("room.py", 10)},
        "b::fast": {("room.py", 10), ("room.py", 11)},
        "b::none": set(),
        "c::other": {("x.py", 10)},
    }
    seconds = {"a::slow": 9.0, "b::fast": 0.1, "b::none": 0.3, "c::other": 0.2}
    covering = Covering(seconds, lines)
    assert covering.of("room.py", 10) == ["b::fast", "a::slow"]
    assert covering.of("room.py", 11) == ["b::fast"]
    assert covering.of("room.py", 15) == []
    assert covering.of("room.py", 2) == ["b::fast", "b::none", "a::slow"]  # a constant
    Path("constants.py").write_text("A = 1\n")
    assert covering.of("constants.py", 1) == ["b::fast", "c::other", "b::none", "a::slow"]


TESTS = """
import threading
import pytest
from room.part import double, halve

@pytest.fixture
def four():
    return double(2)

def test_with_a_fixture(four):
    assert four == 4

@pytest.mark.parametrize("number", [1, 3])
def test_in_a_thread(number):
    thread = threading.Thread(target=halve, args=(number,))
    thread.start()
    thread.join()

def test_nothing():
    pass
"""
PART = """
def double(x):
    return 2 * x

def halve(x):
    if x > 2:
        return x / 2
    return 0
"""


def test_lines_are_noted_test_by_test_and_chosen_tests_run_in_their_order(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room/part.py").write_text(PART)
    (tmp_path / "test_room.py").write_text(TESTS)
    (tmp_path / "run.py").write_text(
        "import sys, pytest\n"
        "from pathlib import Path\n"
        "from workflow.covering_tests import Notes, Only\n"
        "pytest.main(['-q', '-p', 'no:cacheprovider'], plugins=[Notes('room', Path('told.json'))])\n"
        "chosen = ['test_room.py::test_nothing', 'test_room.py::test_in_a_thread[3]', 'test_x.py::test_y']\n"
        "pytest.main(['-v', '-p', 'no:cacheprovider'], plugins=[Only(chosen)])\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    command = [sys.executable, "run.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    covering = read_notes(tmp_path / "told.json")
    assert covering.lines == {
        "test_room.py::test_with_a_fixture": {("room/part.py", n) for n in (2, 3)},
        "test_room.py::test_in_a_thread[1]": {("room/part.py", n) for n in (5, 6, 8)},
        "test_room.py::test_in_a_thread[3]": {("room/part.py", n) for n in (5, 6, 7)},
        "test_room.py::test_nothing": set(),
    }
    assert files_of(covering.lines) == ["test_room.py"]
    ran = [line for line in done.stdout.splitlines() if "PASSED" in line]
    assert ["test_nothing" in ran[0], "thread[3]" in ran[1], len(ran)] == [True, True, 2]
