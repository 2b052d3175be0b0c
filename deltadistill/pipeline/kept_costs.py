"""Costs of a search that are measured: once a training, alike in all processes and after an interruption."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from deltadistill.account.candidate_costs import CostTable
from deltadistill.files import atomic
from deltadistill.files.strict_json import read_json
from deltadistill.pipeline.params import Search
from deltadistill.pipeline.training_run import TrainingRun

COUNTED = "macs"  # the cost that is the same whenever and wherever it is made


def kept_costs(made: Callable[[], CostTable], search: Search, run: TrainingRun) -> CostTable:
    """The costs that `made` makes; where it measures, those of the first process and of the first start."""
    if search.cost == COUNTED:
        return made()
    return run.group.of_first(_of_first(made, run) if run.group.is_first else None)


def _of_first(made: Callable[[], CostTable], run: TrainingRun) -> CostTable:
    path = None if run.checkpoint is None else run.checkpoint.beside("costs.json")
    if path is not None and path.is_file():
        return _read(path)
    costs = made()
    if path is not None:
        with atomic.file(path) as unfinished:
            unfinished.write_text(json.dumps(asdict(costs)))
    return costs


def _read(path: Path) -> CostTable:
    content = read_json(path, remedy="delete it; the costs are measured again")
    blocks = {name: tuple(pair) for name, pair in content["blocks"].items()}
    return CostTable(blocks=blocks, rest=content["rest"], teacher=content["teacher"])
