"""Every result says where it comes from."""

import json
import subprocess

import pytest

from deltadistill.pipeline import provenance

PARAMS = {
    "experiment": "street",
    "seeds": [0, 1],
    "model": {"name": "ddrnet23_slim"},
    "prepare_dataset": {"kind": "generated"},
    "distill": {"steps": 3, "trainings": {"delta": {"method": "delta"}, "feature": {"method": "feature"}}},
    "variants": {"delta": {"predict": "stream"}, "copy": {"predict": "copy"}},
}


def test_a_stage_records_its_own_section_and_its_own_variant():
    assert provenance.stage_params(PARAMS, "distill", "delta") == {
        "experiment": "street",
        "seeds": [0, 1],
        "model": {"name": "ddrnet23_slim"},
        "distill": {"steps": 3, "trainings": {"delta": {"method": "delta"}}},
        "variants": {"delta": {"predict": "stream"}},
    }


def test_nested_params_flatten_to_dotted_names():
    assert provenance.flatten({"a": {"b": {"c": 1}, "d": [1, 2]}, "e": {}}) == {
        "a.b.c": 1,
        "a.d": [1, 2],
        "e": {},
    }


def test_the_record_holds_times_versions_and_code(tmp_path, repository):
    record = provenance.Provenance("distill", {"steps": 3}, seed=1, variant="delta").write(
        tmp_path / "results"
    )
    assert record == json.loads((tmp_path / "results" / "provenance.json").read_text())
    assert (record["stage"], record["seed"], record["variant"], record["params"]) == (
        "distill",
        1,
        "delta",
        {"steps": 3},
    )
    assert record["started"] <= record["finished"]
    assert record["minutes"] >= 0
    assert record["commit"] == provenance.git("rev-parse", "HEAD")
    assert {"python", "torch", "numpy"} <= set(record["versions"])


def test_code_makes_a_run_dirty_but_results_and_recorded_params_do_not(repository):
    (repository / "results").mkdir()
    (repository / "results" / "metrics.json").touch()
    assert provenance.dirty() is False
    (repository / "params.yaml").write_text("experiment: other\n")
    assert provenance.dirty() is False
    (repository / "stages").mkdir()
    (repository / "stages" / "distill.py").touch()
    assert provenance.dirty() is True


def test_outside_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() is None
    assert provenance.dirty() is None


def test_an_execution_is_named_after_what_differs_from_the_committed_params(repository):
    head = provenance.commit()
    assert provenance.execution_name({"experiment": "street", "distill": {"steps": 3}}, head) == (
        f"street @ {head[:7]}"
    )
    assert (
        provenance.execution_name({"experiment": "gamma", "distill": {"steps": 4}}, head) == "gamma: steps=4"
    )


def test_an_execution_is_the_same_for_equal_code_and_params_or_as_the_environment_says(monkeypatch):
    monkeypatch.delenv(provenance.EXECUTION, raising=False)
    key = provenance.execution_key({"a": 1}, "head")
    assert key == provenance.execution_key({"a": 1}, "head")
    assert (
        len({key, provenance.execution_key({"a": 2}, "head"), provenance.execution_key({"a": 1}, "x")}) == 3
    )
    monkeypatch.setenv(provenance.EXECUTION, "nightly")
    assert provenance.execution_key({"a": 1}, "head") == "nightly"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with a committed params.yaml, as the current folder."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "params.yaml").write_text("experiment: street\ndistill: {steps: 3}\n")
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", *command], check=True)
    return folder
