"""Stage runs in MLflow: a parent per execution, a child per stage."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deltadistill.pipeline import tracking

PARAMS = {"experiment": "street", "seeds": [0], "distill": {"steps": 3}, "write_report": {"pictures": [3]}}

# In a process of its own: MLflow's imports are slow and warn, and the test wants what a stage prints.
STAGES = """
import logging, sys
from contextlib import suppress
import torch
from deltadistill.pipeline import store_reach
from deltadistill.pipeline import tracking
logging.basicConfig(level=logging.INFO)
tracking.WAIT_S = store_reach.TURN_S = 600  # four at once, whatever else this machine does
params = {"experiment": "street", "seeds": [0], "distill": {"steps": int(sys.argv[1])}, "write_report": {}}
with tracking.stage_run("distill", params=params, folder="results/a", seed=0, variant="delta") as run:
    for step in range(3):
        run.log({"loss": 1.0 / (step + 1), "tune_miou": None, "cost": float("nan")}, step=step)
    open("curve.png", "wb").write(b"picture")
    open("manifest.csv", "w").write("clip,frame")
    run.figure("curve.png")
    run.dataset("manifest.csv")
    if sys.argv[2] == "model":
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4)).eval()
        run.model(network, torch.zeros(2, 3, 8, 8))
try:
    with tracking.stage_run("distill", params=params, folder="results/b", seed=0, variant="feature") as run:
        raise RuntimeError("no luck")
except RuntimeError:
    pass
with tracking.stage_run("write_report", params=params, folder="results/c") as run:
    run.headline({"delta_T3_miou": 70.5, "delta_T3_consistency": None})
    run.curve("miou/delta", {1: 71.0, 3: 70.5})
if sys.argv[2] == "retry":
    for steps, fails in ((1, True), (1, False), (2, False)):
        params = {"experiment": "retried", "distill": {"steps": steps}}
        with suppress(RuntimeError), tracking.stage_run("distill", params=params, folder="results/d"):
            if fails:
                raise RuntimeError("no luck")
"""
READ = """
import json
import mlflow
import torch
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
experiment = client.get_experiment_by_name("deltadistill").experiment_id
runs = [
    {
        "name": run.info.run_name,
        "status": run.info.status,
        "id": run.info.run_id,
        "parent": run.data.tags.get("mlflow.parentRunId"),
        "tags": run.data.tags,
        "params": run.data.params,
        "metrics": {
            name: [[point.step, point.value] for point in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        },
        "files": [file.path for file in client.list_artifacts(run.info.run_id, "figures")],
        "datasets": [entry.dataset.name for entry in run.inputs.dataset_inputs],
    }
    for run in client.search_runs([experiment])
]
models = [
    {"run": model.source_run_id, "status": str(model.status), "uri": model.model_uri}
    for model in client.search_logged_models([experiment])
]
signatures = [mlflow.models.get_model_info(model["uri"]).signature.to_dict() for model in models]
networks = [mlflow.pytorch.load_model(model["uri"]) for model in models]
outputs = [list(network(torch.zeros(2, 3, 8, 8)).shape) for network in networks]
print(json.dumps({"runs": runs, "models": models, "signatures": signatures, "outputs": outputs}))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Four executions that differ in one parameter, begun at the same time in an empty folder, then read."""
    folder = tmp_path_factory.mktemp("tracking")
    models = {"3": "model", "4": "none", "5": "none", "6": "retry"}
    all_four = [start(folder, STAGES, steps, model) for steps, model in models.items()]
    printed = [process.communicate(timeout=300) for process in all_four]
    read = start(folder, READ).communicate(timeout=300)
    return {**json.loads(read[0]), "printed": printed, "folder": folder}


def start(folder: Path, script: str, *arguments: str) -> subprocess.Popen:
    environment = {name: value for name, value in os.environ.items() if name not in (tracking.SWITCH,)}
    environment |= {"MLFLOW_TRACKING_URI": "", "OMP_NUM_THREADS": "1", "GIT_CEILING_DIRECTORIES": str(folder)}
    environment.pop("PYTEST_CURRENT_TEST", None)
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def parents(store, experiment="street"):
    return [
        run for run in store["runs"] if (run["parent"], run["tags"].get("experiment")) == (None, experiment)
    ]


def children(store, parent, stage, status="FINISHED"):
    return [
        run
        for run in store["runs"]
        if (run["parent"], run["tags"].get("stage"), run["status"]) == (parent["id"], stage, status)
    ]


def test_nothing_is_printed_by_mlflow_and_no_warning_given(store):
    assert store["printed"] == 4 * [("", "")]


def test_each_execution_has_one_parent_with_all_its_params(store):
    assert sorted(run["params"]["distill.steps"] for run in parents(store)) == ["3", "4", "5", "6"]
    assert {run["status"] for run in parents(store)} == {"FINISHED"}


def test_each_stage_that_ran_has_a_child_named_after_it(store):
    for parent in parents(store):
        [child] = children(store, parent, "distill")
        assert child["name"] == "distill · delta · seed 0"
        assert child["params"]["distill.steps"] == parent["params"]["distill.steps"]
        assert (child["tags"]["seed"], child["tags"]["variant"]) == ("0", "delta")
        assert "mlflow.source.git.commit" in child["tags"]


def test_a_failed_stage_is_shown_as_failed_and_writes_no_provenance(store):
    for parent in parents(store):
        assert len(children(store, parent, "distill", "FAILED")) == 1
    assert not (store["folder"] / "results" / "b").exists()
    assert (store["folder"] / "results" / "a" / "provenance.json").is_file()


def test_a_retry_opens_a_run_of_its_own_and_with_changed_parameters_another_execution(store):
    as_it_was, changed = sorted(parents(store, "retried"), key=lambda run: run["params"]["distill.steps"])
    runs = {
        steps: sorted(
            (run["status"], run["params"]["distill.steps"]) for run in store["runs"] if run["parent"] == of
        )
        for steps, of in (("1", as_it_was["id"]), ("2", changed["id"]))
    }
    assert runs == {"1": [("FAILED", "1"), ("FINISHED", "1")], "2": [("FINISHED", "2")]}
    assert changed["params"]["distill.steps"] == "2"


def test_metrics_have_their_steps_and_what_was_not_measured_is_left_out(store):
    [child] = children(store, parents(store)[0], "distill")
    assert child["metrics"]["loss"] == [[0, 1.0], [1, 0.5], [2, pytest.approx(1 / 3)]]
    assert set(child["metrics"]) == {"loss", "minutes"}


def test_figures_and_data_set_belong_to_the_stage(store):
    [child] = children(store, parents(store)[0], "distill")
    assert child["files"] == ["figures/curve.png"]
    assert len(child["datasets"]) == 1


def test_headline_figures_and_curves_over_t_are_on_the_parent(store):
    for parent in parents(store):
        assert parent["metrics"]["final/delta_T3_miou"] == [[0, 70.5]]
        assert "final/delta_T3_consistency" not in parent["metrics"]  # not measured
        assert parent["metrics"]["miou/delta"] == [[1, 71.0], [3, 70.5]]


def test_the_model_has_a_signature_and_loads_without_the_projects_code(store):
    [model] = store["models"]
    assert model["run"] in {run["id"] for run in store["runs"] if run["tags"].get("stage") == "distill"}
    [signature] = store["signatures"]
    assert "[-1, 3, 8, 8]" in signature["inputs"].replace('"shape": ', "").replace("float32", "")
    assert store["outputs"] == [[2, 4, 8, 8]]


def test_trouble_with_mlflow_is_said_once_and_stops_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.delenv(tracking.SWITCH, raising=False)

    class Broken:
        def __init__(self, *_):
            pass

        def metrics(self, *_):
            raise OSError("disk full")

    monkeypatch.setattr(tracking, "_MlflowRun", Broken)
    with (
        caplog.at_level(logging.WARNING),
        tracking.stage_run("distill", params=PARAMS, folder=tmp_path) as run,
    ):
        for step in range(5):
            run.log({"loss": 1.0}, step=step)
        run.headline({"miou": 1.0})
    assert [record.message for record in caplog.records] == [
        "MLflow records nothing more of this stage: OSError: disk full"
    ]
    assert json.loads((tmp_path / "provenance.json").read_text())["stage"] == "distill"


def test_switched_off_it_writes_provenance_only(tmp_path, monkeypatch):
    monkeypatch.setenv(tracking.SWITCH, "off")
    monkeypatch.chdir(tmp_path)
    with tracking.stage_run("distill", params=PARAMS, folder=tmp_path / "results", seed=1) as run:
        run.log({"loss": 1.0})
        run.dataset("nowhere.csv")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["provenance.json"]


def test_an_error_in_the_stage_goes_through_and_leaves_no_provenance(tmp_path, monkeypatch):
    monkeypatch.setenv(tracking.SWITCH, "off")
    with pytest.raises(ZeroDivisionError), tracking.stage_run("distill", params=PARAMS, folder=tmp_path):
        _ = 1 / 0
    assert not list(tmp_path.iterdir())
