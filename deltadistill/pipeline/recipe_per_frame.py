"""The recipes of per-frame networks: the teacher, the teacher trained on, and a cheaper network."""

from collections.abc import Callable
from copy import deepcopy

from torch import nn

from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.frames import labelled_frames, per_frame_score, split_frames
from deltadistill.pipeline.params import Distill, PretrainTeacher
from deltadistill.pipeline.training_run import (
    Trained,
    TrainingRun,
    optimise,
    run_training,
    train_on_clips,
)
from deltadistill.tasks.task import Task
from deltadistill.training.batch_norm import synchronised_batch_norm
from deltadistill.training.loop import Outcome
from deltadistill.training.single_frames import PerFrameTraining


def train_per_frame(
    network: nn.Module,
    task: Task,
    store: FrameStore,
    settings: PretrainTeacher,
    *,
    seed: int,
    run: TrainingRun,
    teacher: nn.Module | None = None,
) -> Outcome:
    """Train `network` in place on single frames; it ends with the best weights by the tune split.

    teacher: a network whose output is imitated as well as the labels, for a cheaper network that is to be
        as good as it can: the rival that needs no students.
    """
    frozen = settings.batch_norm == "frozen"
    if not frozen:
        network = synchronised_batch_norm(network, run.group)
    groups = [(network.parameters(), settings.optimiser.learning_rate)]
    trainee = PerFrameTraining(
        optimise(network, groups, settings, run=run),
        task,
        tune_score=_tune_score(network, task, store, run),
        frozen_batch_norm=frozen,
        teacher=teacher,
    )
    return run_training(trainee, store, settings, run, clip_length=1, max_distance=0, seed=seed)


def finetune(
    teacher: nn.Module,
    task: Task,
    store: FrameStore,
    settings: Distill,
    *,
    seed: int,
    run: TrainingRun,
) -> Trained:
    """Train a copy of the teacher on, per frame, on the frames and for the steps of the distillation."""
    network, rates = deepcopy(teacher), settings.optimiser
    groups = [(network.parameters(), rates.learning_rate_teacher)]
    trainee = PerFrameTraining(
        optimise(network, groups, settings, run=run),
        task,
        tune_score=_tune_score(network, task, store, run),
        frozen_batch_norm=True,
    )
    outcome = train_on_clips(trainee, store, settings, run, seed=seed)
    return Trained(network, outcome)


def _tune_score(
    network: nn.Module, task: Task, store: FrameStore, run: TrainingRun
) -> Callable[[Callable[[], None]], float]:
    frames = labelled_frames(store, "tune") or split_frames(store, "tune")

    def score(between: Callable[[], None]) -> float:
        shared = {"group": run.group, "between": between}
        metric = per_frame_score(network, task, store, frames, task.reference(store), **shared)
        return 100 * task.score(metric)

    return score
