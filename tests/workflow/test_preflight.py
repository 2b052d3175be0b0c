"""What has passed the preflight of `make` need not pass it again."""

import sys

import pytest

from workflow import preflight

PARAMETERS = """
task: null                    # one of your own as package.module:name
model: {name: small}
prepare_dataset: {label_table: own.csv}
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A project of two files, in which a preflight only notes that it was asked, and how it answers."""
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "net.py").write_text("WIDTH = 8\n")
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    (tmp_path / "own.csv").write_text("id,name\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["preflight"])
    asked = []
    monkeypatch.setattr("deltadistill.pipeline.preflight.main", lambda: asked.append(True))
    return asked


def times_asked(asked):
    before = len(asked)
    preflight.main()
    return len(asked) - before


def test_the_same_parameters_and_code_pass_once(asked, tmp_path):
    assert [times_asked(asked), times_asked(asked)] == [1, 0]
    (tmp_path / "params.yaml").write_text(PARAMETERS + "seeds: [1]\n")
    assert [times_asked(asked), times_asked(asked)] == [1, 0]
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    assert times_asked(asked) == 0  # back to what passed


@pytest.mark.parametrize("name", ["networks/net.py", "own.csv", "deltadistill/new.py"])
def test_an_edit_of_code_or_of_a_file_that_they_name_asks_again(asked, tmp_path, name):
    times_asked(asked)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("something else, and longer\n")
    assert times_asked(asked) == 1


@pytest.mark.parametrize("value", ["own_package.models:build", "own:build"])
def test_code_of_ones_own_elsewhere_is_looked_at_anew(asked, tmp_path, value):
    (tmp_path / "params.yaml").write_text(f"model: {{name: '{value}'}}\n")
    (tmp_path / "own.py").write_text("WIDTH = 8\n")
    times_asked(asked)
    (tmp_path / "own.py").write_text("WIDTH = 16\n")
    assert times_asked(asked) == 1


def test_what_does_not_pass_is_not_remembered(asked, monkeypatch):
    def refuse():
        asked.append(True)
        raise SystemExit("params.yaml: no\nNothing was run.")

    monkeypatch.setattr("deltadistill.pipeline.preflight.main", refuse)
    for _ in range(2):
        with pytest.raises(SystemExit, match="Nothing was run"):
            preflight.main()
    assert len(asked) == 2
    assert preflight.passed() == []


def test_a_file_that_is_not_there_is_for_the_preflight_to_name(asked, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["preflight", "missing.yaml"])
    assert [times_asked(asked), times_asked(asked)] == [1, 1]


def test_only_the_newest_are_kept(asked, monkeypatch):
    monkeypatch.setattr(preflight, "KEPT", 2)
    for digest in "abc":
        preflight.remember(digest)
    assert preflight.passed() == ["b", "c"]
