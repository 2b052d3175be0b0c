"""Costs of a search that are measured: once a training, alike in all processes and after an interruption."""

import inspect
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from deltadistill.account.candidate_costs import CostTable
from deltadistill.distillation.registry import COSTS
from deltadistill.files import atomic
from deltadistill.files.strict_json import read_json
from deltadistill.pipeline.params import Search
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.runtime.registry import ENGINES

COUNTED = "macs"  # the cost that is the same whenever and wherever it is made


def require_cost_options(search: Search) -> None:
    """Raise ValueError unless the search's cost takes these options, and its engine is one."""
    signature = inspect.signature(COSTS.find(search.cost))
    try:
        signature.bind(None, None, length=None, **search.cost_options)
    except TypeError as error:
        taken = ", ".join(map(str, list(signature.parameters.values())[3:])) or "none"
        raise ValueError(
            f"search cost {search.cost!r}: {error} among its options; it takes {taken}"
        ) from None
    engine = search.cost_options.get("engine", "auto")
    if search.cost == "milliseconds" and engine != "auto":
        ENGINES.path(engine)


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
