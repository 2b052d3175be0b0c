"""The recipes of per-frame networks: the teacher, the teacher trained on, and a cheaper network."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from torch import nn

from deltadistill.data.beginnings import beginnings
from deltadistill.data.frames import FrameStore
from deltadistill.distillation.per_frame import PerFrameDistillation
from deltadistill.distillation.weighted import Terms, equation_5, further_terms, own_modules
from deltadistill.evaluation.frames import (
    inputs,
    labelled_frames,
    per_frame_score,
    split_frames,
    teacher_reference,
)
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.teacher_output import TeacherOutput
from deltadistill.pipeline.params import Distill, PretrainTeacher
from deltadistill.pipeline.params.trainings import Specialise
from deltadistill.pipeline.training_run import (
    Trained,
    TrainingRun,
    optimise,
    run_training,
    train_on_clips,
)
from deltadistill.processes.group import device_of
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
    labels: bool = True,
) -> Outcome:
    """Train `network` in place on single frames; it ends with the best weights by the tune split.

    teacher: a network whose output is imitated as well as the labels, for a cheaper network that is to be
        as good as it can: the rival that needs no students.
    labels: False imitates the teacher alone, and judges by it: a network that specialises on the very video.
    """
    frozen = settings.batch_norm == "frozen"
    if not frozen:
        network = synchronised_batch_norm(network, run.group)
    groups = [(network.parameters(), settings.optimiser.learning_rate)]
    trainee = PerFrameTraining(
        optimise(network, groups, settings, run=run),
        task,
        tune_score=per_frame_tune_score(network, task, store, run, None if labels else teacher),
        frozen_batch_norm=frozen,
        teacher=teacher,
        labels=labels,
    )
    return run_training(trainee, store, settings, run, clip_length=1, max_distance=0, seed=seed)


def specialise(
    network: nn.Module,
    teacher: nn.Module,
    task: Task,
    store: FrameStore,
    settings: PretrainTeacher,
    videos: Specialise,
    *,
    seed: int,
    run: TrainingRun,
) -> Outcome:
    """Train `network` on, in place, on the first frames of the test videos, by the teacher's output alone.

    No label is there to be read (data/beginnings.py), and the last weights are kept: nothing is chosen on
    these videos. Has no checkpoint: an interrupted run does these steps again.
    """
    begun = FrameStore(beginnings(store.manifest, videos.frames))
    shorter = settings.model_copy(update={"steps": videos.steps, "evaluate_every": videos.steps})
    alone = {"teacher": teacher, "labels": False, "run": replace(run, checkpoint=None)}
    return train_per_frame(network, task, begun, shorter, seed=seed, **alone)


def learn_by_objectives(
    network: nn.Module,
    teacher: nn.Module,
    task: Task,
    store: FrameStore,
    settings: PretrainTeacher,
    further: Mapping[str, Mapping[str, Any]],
    *,
    seed: int,
    run: TrainingRun,
    labels: bool = True,
    task_from: float = 0.0,
) -> Outcome:
    """As `train_per_frame` with a teacher, and by weighted objectives beside labels and teacher.

    further: as distillation.weighted.further_terms takes them. task_from: the share of the steps before
    which these alone count, neither labels nor the teacher's output.
    """
    frozen = settings.batch_norm == "frozen"
    if not frozen:
        network = synchronised_batch_norm(network, run.group)
    frames = inputs(store, split_frames(store, "tune")[:4]).to(device_of(network))
    setting = Setting(network, frames, tuple(settings.augment.crop), task, teacher=teacher)
    begin = round(task_from * settings.steps)
    terms = per_frame_terms(setting, further, labels=labels, steps=settings.steps, begin=begin)
    companions, rate = own_modules(terms), settings.optimiser.learning_rate
    groups = [(module.parameters(), rate) for module in (network, *companions.values())]
    trainee = PerFrameDistillation(
        optimise(network, groups, settings, run=run, companions=companions),
        terms,
        seed=seed,
        tune_score=per_frame_tune_score(network, task, store, run, None if labels else teacher),
        teacher=teacher,
        frozen_batch_norm=frozen,
    )
    return run_training(trainee, store, settings, run, clip_length=1, max_distance=0, seed=seed)


def per_frame_terms(
    setting: Setting, further: Mapping[str, Mapping[str, Any]], *, labels: bool, steps: int, begin: int = 0
) -> Terms:
    """Labels where there are any, the teacher's output, and what is weighted beside them.

    begin: the step from which on labels and the teacher's output count.
    """
    task, imitated = "labels" if labels else "none", TeacherOutput(setting)
    begins = {"task_begin": begin, "alpha_begin": begin}
    return {
        **equation_5(setting, alpha=1.0, task=task, imitated=imitated, **begins),
        **further_terms(further, setting, steps=steps),
    }


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
        tune_score=per_frame_tune_score(network, task, store, run),
        frozen_batch_norm=True,
    )
    outcome = train_on_clips(trainee, store, settings, run, seed=seed)
    return Trained(network, outcome)


def per_frame_tune_score(
    network: nn.Module,
    task: Task,
    store: FrameStore,
    run: TrainingRun,
    judge: nn.Module | None = None,
) -> Callable[[Callable[[], None]], float]:
    """What scores a per-frame network on the tune split, in percent.

    judge: the network whose predictions scores compare with; None: the labels.
    """
    frames = (None if judge else labelled_frames(store, "tune")) or split_frames(store, "tune")
    reference = task.reference(store) if judge is None else teacher_reference(judge, task, store)

    def score(between: Callable[[], None]) -> float:
        shared = {"group": run.group, "between": between}
        metric = per_frame_score(network, task, store, frames, reference, **shared)
        return 100 * task.score(metric)

    return score
