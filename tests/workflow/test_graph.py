"""Snakemake runs the graph of dvc.yaml: the same stages, the same order, nothing left out or added."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deltadistill.pipeline.stage_names import stage_names

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL = {"label_frames", "evaluate_videos"}  # there where params.yaml asks for them


@pytest.fixture(scope="module")
def dvc_edges(untouched):
    pairs = re.findall(r'"([^"]+)" -> "([^"]+)"', untouched.run("dvc", "dag", "--dot"))
    return {(rule(first), rule(then)) for first, then in pairs}


@pytest.fixture(scope="module")
def snakemake_edges(untouched):
    dot = untouched.run("snakemake", "--forceall", "--rulegraph", "dot")
    names = dict(re.findall(r'(\d+)\[label = "([^"\\]+)', dot))
    edges = {(names[first], names[then]) for first, then in re.findall(r"(\d+) -> (\d+)", dot)}
    return {edge for edge in edges if edge[1] != "all"}


def test_both_tools_have_the_same_graph(dvc_edges, snakemake_edges):
    assert dvc_edges
    assert closure(snakemake_edges) == closure(dvc_edges)  # the rule graph is drawn without what follows


def test_both_tools_have_the_same_stages(untouched, snakemake_edges):
    listed = untouched.run("dvc", "stage", "list", "--name-only").split()
    assert {rule(name) for name in listed} == {name for edge in snakemake_edges for name in edge}


def test_a_report_waits_for_every_other_stage(dvc_edges):
    before = {first for first, then in closure(dvc_edges) if then.startswith("write_report")}
    stages = set(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]) - {"write_report"} - OPTIONAL
    assert {name for name in stages if any(stage.startswith(name) for stage in before)} == stages


def test_frames_are_labelled_only_where_params_ask_for_it(untouched):
    listed = untouched.run("dvc", "stage", "list")
    assert not [name for name in OPTIONAL if name in listed]


def test_trainings_follow_the_labels_that_they_read_and_evaluations_have_none(finished):
    (finished.folder / "weights" / "labeller.pt").write_text("a network")
    finished.set("label_frames.folders", ["labelled"])
    finished.set("label_frames.distill", "labelled")
    listed = finished.run("dvc", "repro")
    assert "Running stage 'label_frames@street-labelled'" in listed
    assert "Running stage 'distill@street-0-delta'" in listed
    assert "Stage 'pretrain_teacher@street-0' didn't change" in listed
    edges = set(re.findall(r'"([^"]+)" -> "([^"]+)"', finished.run("dvc", "dag", "--dot")))
    after = {then.partition("@")[0] for first, then in edges if first.startswith("label_frames")}
    assert after == {"distill"}
    assert "up to date" in finished.run("dvc", "status")
    assert "Nothing to be done" in finished.run("snakemake", "--dry-run")


def test_whole_videos_are_evaluated_where_params_ask_for_it_and_reported_by_both_tools(finished):
    finished.set("evaluate_videos.variants", ["delta"])
    assert "Running stage 'evaluate_videos@street-0-delta'" in finished.run("dvc", "repro")
    assert "up to date" in finished.run("dvc", "status")
    edges = re.findall(r'"([^"]+)" -> "([^"]+)"', finished.run("dvc", "dag", "--dot"))
    assert ("evaluate_videos@street-0-delta", "write_report@street") in edges
    finished.set("evaluate_videos.schedules.adaptive.options.threshold", 30.0)
    ran = re.findall(r"rule (\w+?)_street", finished.run("snakemake"))
    assert set(ran) - {"trace_code"} == {"evaluate_videos", "write_report"}


def test_the_variants_of_a_seed_do_not_wait_for_each_other(dvc_edges):
    both = [edge for edge in closure(dvc_edges) if all(name.startswith("distill_") for name in edge)]
    assert both == []


def test_snakemakes_linter_has_nothing_to_say(untouched):
    assert "Congratulations" in untouched.run("snakemake", "--lint")


def test_wrong_params_are_refused_before_anything_runs(finished):
    finished.set("pretrain_teacher.batch", "none")
    assert "'none' is not of type 'integer'" in finished.run("snakemake", "--dry-run", check=False)


def test_the_stages_that_parameters_know_are_those_of_the_graph():
    assert stage_names(ROOT) == list(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])


def test_every_stage_says_what_it_needs():
    for name, stage in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].items():
        assert {"cpus", "mem_mb", "runtime", "gpu"} <= set(stage["meta"]["resources"]), name


def test_an_experiment_may_ask_for_more_than_the_graph_says_and_nothing_is_stale_for_it(finished):
    finished.set("resources", {"distill": {"gpu": 4, "runtime": 2880}})
    assert "Nothing to be done" in finished.run("snakemake", "--dry-run")
    finished.set("distill.batch", 5)
    jobs = finished.run("snakemake", "--dry-run").split("rule ")
    asked = {job.split(":")[0]: job for job in jobs}
    assert "mem_mb=3000, " in asked["distill_street_0_delta"]
    assert "runtime=2880, gpu=4" in asked["distill_street_0_delta"]
    assert "gpu=1" in asked["sweep_sequence_length_street_0_delta"]


def test_a_stage_that_there_is_not_may_not_ask(finished):
    finished.set("resources", {"distil": {"gpu": 4}})
    assert "'distil' is not one of ['trace_code', " in finished.run("snakemake", check=False)


def rule(address: str) -> str:
    return re.sub(r"\W", "_", address)


def closure(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Every pair where the first comes before the second, directly or not."""
    closed = set(edges)
    while True:
        more = {(a, d) for a, b in closed for c, d in closed if b == c} - closed
        if not more:
            return closed
        closed |= more


def test_every_value_that_changes_a_result_is_a_parameter_of_a_stage():
    """What no stage lists, an edit of params.yaml would change without making anything stale."""
    read = YAML(typ="safe")
    stages = read.load(ROOT / "dvc.yaml")["stages"]
    listed = {
        name for key, stage in stages.items() if key != "trace_code" for name in stage.get("params", [])
    }
    listed |= set(re.findall(r"\$\{([a-z_.]+)", (ROOT / "dvc.yaml").read_text()))
    values = read.load(ROOT / "params.yaml")
    assert len(listed) > 40
    unlisted = {
        f"{section}.{key}"
        for section, keys in values.items()
        if isinstance(keys, dict) and section not in listed and section != "training"  # how, not what
        for key in keys
        if not any(f"{name}.".startswith(f"{section}.{key}.") or name == section for name in listed)
    }
    assert unlisted == set()
