"""A variant made ready to be evaluated: its data set, its task, and the networks that it predicts with."""

from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.counting import Counting, batch_bar
from deltadistill.pipeline import params as parameters
from deltadistill.pipeline import tracking
from deltadistill.pipeline.own_designs import import_own_designs
from deltadistill.pipeline.params.evaluation import EvaluatedVariant
from deltadistill.pipeline.stage_arguments import of_variant
from deltadistill.predictors import predictor as predictors
from deltadistill.predictors.predictor import Predictor
from deltadistill.processes import group as processes
from deltadistill.processes.group import Group
from deltadistill.processes.kept_counts import Parts, parts_of
from deltadistill.stored.architecture import load_network
from deltadistill.tasks import of_dataset as tasks
from deltadistill.tasks.task import Task


@dataclass(frozen=True)
class Evaluated:
    """One stage's run for one variant, by the arguments `variant`, `data` and `network` of the stage.

    group: the processes that share it; networks are on its device. run: records what is logged.
    Raises ValueError, when it is made or asked, for an unknown variant, and for files that are not there or
    not what they should be.
    """

    stage: str
    args: Namespace
    params: parameters.Params
    group: Group
    run: tracking.StageRun

    @property
    def entry(self) -> EvaluatedVariant:
        """What the section `variants` says."""
        return of_variant(self.args.variant, self.params.variants)

    @cached_property
    def store(self) -> FrameStore:
        """The data set."""
        return FrameStore.open(self.args.data, cache_gib=self.params.training.cache_gib)

    @cached_property
    def task(self) -> Task:
        """What is predicted."""
        boxes = self.params.boxes.model_dump()
        return tasks.build(self.store.manifest.info, boxes=boxes, named=self.params.task)

    @cached_property
    def network(self) -> nn.Module:
        """The variant's network."""
        return self.load(self.args.network)

    @cached_property
    def networks(self) -> Mapping[str, nn.Module]:
        """The networks beside it, by the names of the predictor's arguments."""
        return {name: self.load(path) for name, path in self._files_beside.items()}

    @property
    def _files_beside(self) -> dict[str, Path]:
        """They lie beside the variant's own, as collect_networks puts them."""
        file = self.args.network
        return {name: file.with_name(f"{file.stem}.{name}.pt") for name in self.entry.networks}

    def load(self, path: Path) -> nn.Module:
        """The network of a file that a stage of this experiment has written."""
        entry = self.entry
        import_own_designs(self.params, [entry.network, *entry.networks.values()])
        return load_network(path, own_names=[self.params.model.name]).to(self.group.device)

    def predictor(self) -> Predictor:
        """A predictor of its own state; the networks are shared, unless it learns."""
        entry = self.entry
        return predictors.build(
            entry.predict, self.network, self.task, networks=self.networks, options=entry.options
        )

    def counting(self, settings: Iterable[Any], *files: Path, of: str = "") -> Counting:
        """Counting with a bar, whose counts an interrupted run leaves in .checkpoints/.

        settings, files: what decides the counts beside the variant, the task and the data set.
        of: which of several countings of the stage this is.
        """
        title = " ".join(filter(None, (self.stage, of)))
        parts = self._parts("-".join(title.split()), settings, files)
        return Counting(parts, batch_bar(f"{self.args.variant}: {title}", self.group), self.group)

    def _parts(self, title: str, settings: Iterable[Any], files: Iterable[Path]) -> Parts:
        args, entry, params = self.args, self.entry, self.params
        decides = [*settings, entry.predict, entry.options, params.boxes.model_dump(), params.task]
        own = (args.data / "manifest.csv", args.data / "dataset.json", args.network)
        return parts_of(
            f"{title}-{args.variant}-seed{args.seed}",
            decides,
            [*own, *self._files_beside.values(), *files],
            minutes=params.training.checkpoint_minutes,
        )


@contextmanager
def evaluation(stage: str, args: Namespace) -> Iterator[Evaluated]:
    """Run a stage for the variant that its arguments name, recorded, in all processes that share it."""
    params = parameters.load(args.params)
    given = {"params": params, "folder": args.results, "seed": args.seed, "variant": args.variant}
    of_variant(args.variant, params.variants)  # before anything is recorded
    with processes.joined() as group, tracking.stage_run(stage, **given) as run:
        yield Evaluated(stage, args, params, group, run)
