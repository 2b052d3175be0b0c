"""YAML by libyaml is what the parser in Python makes of it, and faults are told by the latter."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from deltadistill.files import plain_yaml
from deltadistill.files.plain_yaml import parse_yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "params.yaml", ROOT / "dvc.yaml", ROOT / "workflow" / "params.schema.yaml"]
FORMS = """
answers: [yes, on, y, true, True, ~, null]
numbers: [1e-3, 1e3, 1.0e+3, 0o17, 017, 0x1f, 1_000, .inf, -.5, 2020-01-01]
time: 12:30:45
words: ['x''y', "\\x41", plain é…, "- no list"]
kept: &kept {c: 1}
merged: {<<: *kept, e: 2}
again: *kept
block: |
  b
  c
? key
: value
"""


@pytest.mark.parametrize("text", [*(path.read_text() for path in FILES), FORMS], ids=lambda _: "")
def test_values_are_those_of_the_parser_in_python(text, monkeypatch):
    found = parse_yaml(text, name="it")
    assert plain_yaml._quickly(text) == (found,)
    monkeypatch.setattr(plain_yaml, "_quickly", lambda text: None)
    assert repr(parse_yaml(text, name="it")) == repr(found)


def test_a_text_that_names_its_version_is_read_by_it():
    assert parse_yaml("%YAML 1.1\n---\na: yes", name="it") == {"a": True}
    assert parse_yaml("# first a word\n%YAML 1.1\n---\na: yes", name="it") == {"a": True}
    assert parse_yaml("a: yes", name="it") == {"a": "yes"}


@pytest.mark.parametrize("text", ["{a:1}", "[a:b, c]"])
def test_what_libyaml_alone_refuses_is_read_all_the_same(text):
    with pytest.raises(YAMLError):
        YAML(typ="safe").load(text)
    assert parse_yaml(text, name="it") == YAML(typ="safe", pure=True).load(text)


def test_references_are_counted_before_anything_is_built(monkeypatch):
    lists = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))
    with pytest.raises(ValueError, match="unfolds to more than"):
        parse_yaml(f"a0: &a0 [1]\n{lists}", name="it")


def test_without_libyaml_it_is_read_in_python(monkeypatch):
    monkeypatch.setattr("ruamel.yaml.main.CParser", None)
    assert parse_yaml(FORMS, name="it")["again"] == {"c": 1}
