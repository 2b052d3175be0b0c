"""A variant made ready to be evaluated: its data set, its task, and the networks that it predicts with."""

from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from deltadistill.data.frames import FrameStore
from deltadistill.pipeline.own_designs import import_own_designs
from deltadistill.pipeline.params import Params
from deltadistill.pipeline.params.evaluation import EvaluatedVariant
from deltadistill.pipeline.stage_arguments import of_variant
from deltadistill.predictors import predictor as predictors
from deltadistill.predictors.predictor import Predictor
from deltadistill.processes.group import Group
from deltadistill.processes.kept_counts import Parts, parts_of
from deltadistill.stored.architecture import load_network
from deltadistill.tasks import of_dataset as tasks
from deltadistill.tasks.task import Task


@dataclass(frozen=True)
class Evaluated:
    """What the evaluations of one variant share.

    networks: those beside `network`, by the names of the predictor's arguments.
    files: what decides a result beside the parameters, for the counts that an interrupted one leaves.
    """

    entry: EvaluatedVariant
    store: FrameStore
    task: Task
    network: nn.Module
    networks: Mapping[str, nn.Module]
    files: tuple[Path, ...]

    def predictor(self) -> Predictor:
        """A predictor of its own state; the networks are shared, unless it learns."""
        entry = self.entry
        return predictors.build(
            entry.predict, self.network, self.task, networks=self.networks, options=entry.options
        )


def open_variant(args: Namespace, params: Params, group: Group) -> Evaluated:
    """What the arguments `variant`, `data` and `network` of a stage name; networks on the group's device.

    Networks beside the variant's own lie beside its file, as collect_networks puts them.
    Raises ValueError for an unknown variant, and for files that are not there or not what they should be.
    """
    entry = of_variant(args.variant, params.variants)
    import_own_designs(params, [entry.network, *entry.networks.values()])
    store = FrameStore.open(args.data, cache_gib=params.training.cache_gib)
    task = tasks.build(store.manifest.info, boxes=params.boxes.model_dump(), named=params.task)
    beside = files_beside(args.network, entry)
    return Evaluated(
        entry,
        store,
        task,
        load(args.network, params, group),
        {name: load(path, params, group) for name, path in beside.items()},
        (args.data / "manifest.csv", args.data / "dataset.json", args.network, *beside.values()),
    )


def load(path: Path, params: Params, group: Group) -> nn.Module:
    """The network of a file that a stage of this experiment has written, on the group's device."""
    return load_network(path, own_names=[params.model.name]).to(group.device)


def files_beside(path: Path, entry: EvaluatedVariant) -> dict[str, Path]:
    """Files of the networks that a variant has beside that of `path`, by the predictor's arguments."""
    return {name: path.with_name(f"{path.stem}.{name}.pt") for name in entry.networks}


def kept_parts(
    stage: str, args: Namespace, params: Params, variant: Evaluated, settings: Iterable[Any], *files: Path
) -> Parts:
    """What an interrupted evaluation of the variant has counted, in .checkpoints/.

    settings, files: what decides the result beside the variant, the task and the data set.
    """
    entry = variant.entry
    decides = [*settings, entry.predict, entry.options, params.boxes.model_dump(), params.task]
    return parts_of(
        f"{stage}-{args.variant}-seed{args.seed}",
        decides,
        [*variant.files, *files],
        minutes=params.training.checkpoint_minutes,
    )
