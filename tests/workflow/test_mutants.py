"""What `make test-mutants` reads fits the project."""

from pathlib import Path

import pytest

from deltadistill.files.plain_yaml import parse_yaml, read_yaml_text
from workflow.covering_tests import Covering, statement_lines

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


def test_tests_that_run_a_line_are_the_fastest_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("room.py").write_text(SOURCE)
    lines = {"slow": {("room.py", 10), ("room.py", 1)}, "fast": {("room.py", 10)}, "other": {("x.py", 10)}}
    covering = Covering({"slow": 9.0, "fast": 0.1, "other": 0.2}, lines)
    assert covering.of("room.py", 10) == ["fast", "slow"]
    assert covering.of("room.py", 2) == ["slow"]
    assert covering.of("room.py", 15) == []
