"""What a stage run leaves behind: provenance.json always, and a run in MLflow where that works.

One parent run per execution of the pipeline, one child per stage that ran. MLflow serves comparison only:
whatever goes wrong with it is said once, as a warning, and the stage goes on, a minute late at most.
"""

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltadistill.pipeline import store_reach
from deltadistill.pipeline.provenance import (
    Provenance,
    commit,
    execution_key,
    execution_name,
    flatten,
    plain,
    stage_params,
)
from deltadistill.processes.launch import is_first

if TYPE_CHECKING:
    import torch

SWITCH = "DELTADISTILL_TRACKING"  # "off" records nothing in MLflow
DEFAULT_STORE = "sqlite:///mlflow.db"
MLFLOW_EXPERIMENT = "deltadistill"
LAST_STAGES = ("write_report", "compare_settings")
FLUSH_S = 5.0  # metrics of a running stage appear at most this late
LOCK = Path(".mlflow.lock")
BATCH = 100  # most params MLflow takes at once
WAIT_S, WAIT_SHARE = 60, 0.05  # MLflow may take a stage so long, and beyond that this share of its time
LONGEST_VALUE = 500  # characters of one param; MLflow refuses long ones

log = logging.getLogger(__name__)


@contextmanager
def stage_run(
    stage: str,
    *,
    params: Any,
    folder: str | os.PathLike[str],
    seed: int | None = None,
    variant: str | None = None,
) -> Iterator["StageRun"]:
    """Record one run of a stage.

    Of several processes the first one records.

    Args:
        stage: name of the stage; also of its script and of its section in the parameters.
        params: the whole `deltadistill.pipeline.params.Params`, or a mapping of the same form.
        folder: the stage's results folder; provenance.json is written there unless the block raises.
        seed: seed of this run, where the stage runs once per seed.
        variant: of `variants` or `distill.trainings`, where the stage runs once for each.
    """
    if not is_first():
        yield StageRun(None)
        return
    provenance = Provenance(stage, stage_params(params, stage, variant), seed, variant)
    run = StageRun(lambda: _MlflowRun(stage, plain(params), provenance))
    try:
        yield run
    except BaseException:
        run.close(status="FAILED")
        raise
    record = provenance.write(Path(folder))
    run.log({"minutes": record["minutes"]})
    run.close(status="FINISHED")


class StageRun:
    """The recorder of one stage run. No method ever raises because of MLflow."""

    def __init__(self, open_store: "Callable[[], _MlflowRun] | None"):
        self._store: _MlflowRun | None = None
        self._began, self._waited = time.monotonic(), 0.0
        if open_store and os.environ.get(SWITCH, "").lower() != "off":
            self._store = self._guard(open_store)

    def log(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Log numbers; `step` is the optimiser step, the epoch or the sequence length T."""
        if self._store:
            self._guard(self._store.metrics, metrics, step)

    def figure(self, path: str | os.PathLike[str]) -> None:
        """Log a picture or another small file that lies at `path`."""
        if self._store:
            self._guard(self._store.artifact, Path(path), "figures")

    def model(self, network: "torch.nn.Module", example: "torch.Tensor") -> None:
        """Log the network as an exported graph with its signature; `example` is an input (N, 3, H, W), N > 1.

        Give a network whose forward runs by itself: the teacher, or a delta network's key frame.
        """
        if self._store:
            self._guard(self._store.model, network, example, waiting=False)  # nearly all of it is the export

    def dataset(self, manifest: str | os.PathLike[str]) -> None:
        """Log the manifest of the data set this stage reads; its digest tells two data sets apart."""
        if self._store:
            self._guard(self._store.dataset, Path(manifest))

    def headline(self, figures: Mapping[str, float | None]) -> None:
        """Log the execution's headline figures on its parent run, as `final/<name>`; None is left out."""
        if self._store:
            self._guard(self._store.headline, figures)

    def curve(self, name: str, values: Mapping[int, float]) -> None:
        """Log a curve over the sequence length on the parent run; `name` is `section/name`."""
        if self._store:
            self._guard(self._store.curve, name, values)

    def close(self, *, status: str) -> None:
        """Write what is left and end the run as FINISHED or FAILED."""
        if self._store:
            self._guard(self._store.close, status)

    def _guard(self, action: Callable[..., Any], *arguments: Any, waiting: bool = True) -> Any:
        began = time.monotonic()
        try:
            return action(*arguments)
        except Exception as error:
            self._give_up(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
            return None
        finally:
            self._waited += waiting * (time.monotonic() - began)
            if self._store and self._waited > WAIT_S + WAIT_SHARE * (time.monotonic() - self._began):
                self._give_up(f"it has taken {self._waited:.0f} s of the stage's time")

    def _give_up(self, reason: str) -> None:
        self._store = None
        log.warning("MLflow records nothing more of this stage: %s", reason)


class _MlflowRun:
    """A child run in MLflow, and the parent it belongs to. The only user of mlflow in the project."""

    def __init__(self, stage: str, params: Mapping[str, Any], provenance: Provenance):
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        for chatty in ("alembic", "mlflow"):  # database creation and hints, at INFO
            logging.getLogger(chatty).setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # its errors are raised as well
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            mlflow.set_tracking_uri(DEFAULT_STORE)
        store_reach.limit_waiting()
        store_reach.require_answer(mlflow.get_tracking_uri())
        self._mlflow = mlflow
        self._stage, self._pending, self._flushed = stage, [], time.monotonic()
        head = commit() or "none"
        with store_reach.turn(LOCK):
            self._client = mlflow.MlflowClient()  # creates the database
            self._experiment = self._find_experiment()
            self._parent = self._find_parent(params, head)
        self._run = self._create(
            provenance.title,
            {
                "mlflow.parentRunId": self._parent,
                "mlflow.source.git.commit": head,
                "stage": stage,
                "seed": provenance.seed,
                "variant": provenance.variant,
            },
        )
        self._params(self._run, provenance.params)

    def metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self._pending += [self._metric(name, value, step) for name, value in _numbers(metrics)]
        if time.monotonic() - self._flushed > FLUSH_S:
            self._flush()

    def artifact(self, path: Path, folder: str) -> None:
        self._client.log_artifact(self._run, str(path), folder)

    def model(self, network: "torch.nn.Module", example: "torch.Tensor") -> None:
        import torch
        from mlflow.models import infer_signature
        from torch.utils._pytree import tree_leaves

        with torch.no_grad():
            outputs = [output.numpy() for output in tree_leaves(network(example))]
        named = {f"output_{number}": output for number, output in enumerate(outputs)}
        signature = infer_signature(example.numpy(), outputs[0] if len(outputs) == 1 else named)
        logged = self._client.create_logged_model(self._experiment, name=self._stage, source_run_id=self._run)
        with _without_complaint_about_serving(len(outputs) > 1):
            # An exported graph needs no code of ours to load; given requirements spare MLflow a trial load.
            self._mlflow.pytorch.log_model(
                network,
                model_id=logged.model_id,
                signature=signature,
                input_example=example.numpy(),
                serialization_format="pt2",
                pip_requirements=[f"torch=={torch.__version__.split('+')[0]}"],
            )

    def dataset(self, manifest: Path) -> None:
        from mlflow.entities import Dataset, DatasetInput

        digest = hashlib.sha256(manifest.read_bytes()).hexdigest()[:16]
        dataset = Dataset(manifest.resolve().parent.name, digest, "local", json.dumps({"uri": str(manifest)}))
        self._client.log_inputs(self._run, [DatasetInput(dataset)])

    def headline(self, figures: Mapping[str, float]) -> None:
        entries = [self._metric(f"final/{name}", value, 0) for name, value in _numbers(figures)]
        self._client.log_batch(self._parent, metrics=entries)

    def curve(self, name: str, values: Mapping[int, float]) -> None:
        entries = [self._metric(name, value, int(step)) for step, value in _numbers(values)]
        self._client.log_batch(self._parent, metrics=entries)

    def close(self, status: str) -> None:
        self._flush()
        self._client.set_terminated(self._run, status)
        if status == "FAILED" or self._stage in LAST_STAGES:
            self._client.set_terminated(self._parent, status)

    def _flush(self) -> None:
        for start in range(0, len(self._pending), BATCH):
            self._client.log_batch(self._run, metrics=self._pending[start : start + BATCH])
        self._pending, self._flushed = [], time.monotonic()

    def _metric(self, name: str, value: float, step: int) -> Any:
        return self._mlflow.entities.Metric(name, value, int(time.time() * 1000), step)

    def _find_experiment(self) -> str:
        found = self._client.get_experiment_by_name(MLFLOW_EXPERIMENT)
        return found.experiment_id if found else self._client.create_experiment(MLFLOW_EXPERIMENT)

    def _find_parent(self, params: Mapping[str, Any], head: str) -> str:
        key = execution_key(params, head)
        found = self._client.search_runs([self._experiment], f"tags.execution = '{key}'", max_results=1)
        if found:
            self._client.update_run(found[0].info.run_id, status="RUNNING")
            return found[0].info.run_id
        tags = {"execution": key, "mlflow.source.git.commit": head, "experiment": params.get("experiment")}
        parent = self._create(execution_name(params, head), tags)
        self._params(parent, params)
        return parent

    def _create(self, name: str, tags: Mapping[str, Any]) -> str:
        given = {tag: str(value) for tag, value in tags.items() if value is not None}
        return self._client.create_run(self._experiment, run_name=name, tags=given).info.run_id

    def _params(self, run: str, params: Mapping[str, Any]) -> None:
        param = self._mlflow.entities.Param
        entries = [param(name, str(value)[:LONGEST_VALUE]) for name, value in sorted(flatten(params).items())]
        for start in range(0, len(entries), BATCH):
            self._client.log_batch(run, params=entries[start : start + BATCH])


def _numbers(values: Mapping[Any, Any]) -> list[tuple[Any, float]]:
    """The entries MLflow can draw: None and NaN, which stand for not measured, are left out."""
    return [(key, float(v)) for key, v in values.items() if v is not None and math.isfinite(v)]


@contextmanager
def _without_complaint_about_serving(several_outputs: bool) -> Iterator[None]:
    """MLflow's own server answers with one tensor; of a network with several it logs that, and the input."""
    complaining = logging.getLogger("mlflow.models.model")
    before = complaining.level
    if several_outputs:
        complaining.setLevel(logging.ERROR)
    try:
        yield
    finally:
        complaining.setLevel(before)
