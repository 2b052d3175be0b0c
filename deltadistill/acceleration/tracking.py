"""Trials as runs of MLflow, where the environment says that tracking is on."""

import logging
import os
from typing import Any

from deltadistill.acceleration.case import Case

_log = logging.getLogger(__name__)


def log(case: Case, outcome: Any) -> None:
    """A run for every trial, where MLFLOW_TRACKING_URI is set; a failure is a warning."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        return
    try:
        import mlflow
    except ModuleNotFoundError:
        _log.warning("MLFLOW_TRACKING_URI is set, and MLflow is not installed: trials are not tracked")
        return
    try:
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "accelerate"))
        for trial in outcome.trials:
            with mlflow.start_run(run_name=trial.name):
                mlflow.log_params(_parameters(case, trial))
                for point in trial.points():
                    values = {"speedup": point.speedup, "fidelity": point.fidelity, "kept": point.kept}
                    values |= {"lower": point.lower, "key_share": point.key_share}
                    mlflow.log_metrics(values, step=point.period)
    except Exception as error:
        _log.warning("the trials are not tracked: %s", error)


def _parameters(case: Case, trial: Any) -> dict[str, Any]:
    return {
        "network": case.name,
        "kind": trial.kind,
        "design": trial.design,
        "engine": trial.engine,
        "precision": trial.precision,
        "distillation_steps": trial.steps,
    }
