"""What `make test-mutants` reads fits the project."""

from pathlib import Path

import pytest

from deltadistill.files.plain_yaml import parse_yaml, read_yaml_text

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
