"""What all recipes share: the optimiser that a params section describes, and the run of the loop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import nn

from deltadistill.account.candidate_costs import CostTable
from deltadistill.data.batches import TrainingBatches
from deltadistill.data.frames import FrameStore
from deltadistill.data.transforms import Augment
from deltadistill.pipeline.params import Distill, PretrainTeacher, Training
from deltadistill.processes.checkpoint import Checkpoint
from deltadistill.processes.group import Group
from deltadistill.training import optimiser as optimisers
from deltadistill.training.loop import Outcome, Row, Trainee, train
from deltadistill.training.moving_average import MovingAverage
from deltadistill.training.only_learn import OnlyLearn
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.passes import Passes
from deltadistill.training.precision import Precision


@dataclass(frozen=True)
class TrainingRun:
    """What a training needs to run here and decides no result: checkpoints, progress, the bar's title, the
    processes and passes that share a step, and run many threads read batches ahead of it.
    """

    checkpoint: Checkpoint | None = None
    on_row: Callable[[Row], None] | None = None
    title: str = "training"
    passes: Passes = field(default_factory=Passes)
    loading_threads: int = 0

    @classmethod
    def of_stage(
        cls,
        settings: Training,
        group: Group,
        *,
        checkpoint: Checkpoint,
        log: Callable[..., None],
        title: str,
    ) -> "TrainingRun":
        """As a stage's params section says; log(row, step=…) is called with every row of the curve."""
        passes = Passes(group, settings.frames_at_once)
        return cls(
            checkpoint, lambda row: log(row, step=int(row["step"])), title, passes, settings.loading_threads
        )

    @property
    def group(self) -> Group:
        """The processes that train together."""
        return self.passes.group


class OptimisedTrainee(Trainee, Protocol):
    """A training whose network and its companions are optimised together."""

    optimised: OptimisedNetwork


@dataclass(frozen=True)
class Trained:
    """A trained network, ready to be saved, and its training.

    Of a delta network, which is deployed: the architecture that was found, the probability of every block's
    compressed candidate, rows of layers.csv (each block's error before and after), and what the candidates
    cost where that was measured.
    """

    network: nn.Module
    outcome: Outcome
    architecture: Mapping[str, Any] | None = None
    gate_probabilities: Mapping[str, float] = field(default_factory=dict)
    layers: Sequence[Mapping[str, Any]] = ()
    costs: CostTable | None = None


def optimise(
    network: nn.Module,
    groups: optimisers.Groups,
    settings: PretrainTeacher | Distill,
    *,
    run: TrainingRun,
    companions: Mapping[str, nn.Module] | None = None,
) -> OptimisedNetwork:
    """Make the optimiser of a network; `groups` are (parameters, highest learning rate).

    companions: modules that learn with the network and are no part of it.
    Raises ValueError for a precision that the device does not have, and where the optimiser's only_learn
    names a module that the network does not have.
    """
    chosen, schedule = settings.optimiser, settings.schedule
    optimiser = optimisers.build(
        chosen.name, groups, weight_decay=chosen.weight_decay, momentum=chosen.momentum
    )
    course = optimisers.Course(settings.steps, schedule.name, schedule.power, tuple(schedule.drops))
    return OptimisedNetwork(
        network,
        optimiser,
        course,
        chosen.clip_norm,
        run.passes,
        Precision(settings.precision, run.group.device),
        MovingAverage(settings.ema_decay) if settings.ema_decay else None,
        companions or {},
        only_learn=[
            OnlyLearn.of_shares(**stage.model_dump(), steps=settings.steps, network=network)
            for stage in chosen.only_learn
        ],
    )


def train_on_clips(
    trainee: OptimisedTrainee, store: FrameStore, settings: Distill, run: TrainingRun, *, seed: int
) -> Outcome:
    """Train on the clips of distillation: a key frame and frames that follow, or precede it."""
    return run_training(
        trainee,
        store,
        settings,
        run,
        clip_length=settings.clip_length,
        max_distance=settings.max_distance,
        directions=settings.directions,
        seed=seed,
    )


def run_training(
    trainee: OptimisedTrainee,
    store: FrameStore,
    settings: PretrainTeacher | Distill,
    run: TrainingRun,
    *,
    clip_length: int,
    max_distance: int,
    seed: int,
    directions: str = "forward",
) -> Outcome:
    """Train on clips of the train split; the network ends with the best weights by the tune split.

    Raises ValueError where the processes cannot share a batch.
    """
    batches = TrainingBatches(
        store,
        "train",
        steps=settings.steps,
        batch=settings.batch,
        clip_length=clip_length,
        max_distance=max_distance,
        directions=directions,
        augment=Augment(**settings.augment.model_dump()),
        seed=seed,
        rows=run.passes.share(settings.batch, clip_length),
    )
    run.group.copy_from_first(trainee.optimised.tensors())
    outcome = train(
        trainee,
        batches,
        steps=settings.steps,
        evaluate_every=settings.evaluate_every,
        seed=seed,
        checkpoint=run.checkpoint,
        on_row=run.on_row,
        title=run.title,
        group=run.group,
        loading_threads=run.loading_threads,
    )
    trainee.network.load_state_dict(outcome.best_state)
    return outcome
