"""The recipe of a training: what its method stands for."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from torch import nn

from deltadistill import models
from deltadistill.data.frames import FrameStore
from deltadistill.pipeline.params import Distill, Params, PretrainTeacher
from deltadistill.pipeline.params.trainings import NetworkTraining
from deltadistill.pipeline.recipe_of_companion import Companion, train_flow_scale, train_skip_gates
from deltadistill.pipeline.recipe_of_distillation import distill
from deltadistill.pipeline.recipe_of_student import distill_pair
from deltadistill.pipeline.recipe_per_frame import (
    finetune,
    learn_by_objectives,
    specialise,
    train_per_frame,
)
from deltadistill.pipeline.training_run import Trained, TrainingRun
from deltadistill.tasks.task import Task


def train_network(
    name: str,
    teacher: nn.Module,
    model: Mapping[str, Any],
    task: Task,
    store: FrameStore,
    params: Params,
    *,
    seed: int,
    run: TrainingRun,
) -> tuple[Trained, Mapping[str, Any]]:
    """Train network `name` of distill.trainings; the second result describes the network that came of it.

    model: {"name", "classes", "options"} of the teacher, which is on the device of the run's processes.
    """
    training, settings = params.distill.trainings[name], params.distill.of_training(name)
    common = {"seed": seed, "run": run}
    if training.method == "per_frame":
        return finetune(teacher, task, store, settings, **common), model
    if training.method == "small":
        return _small(training, settings, teacher, model, task, store, params.pretrain_teacher, **common)
    if train := _COMPANIONS.get(training.method):
        return train(Companion.of(teacher, task, store, settings, run), training.options, seed=seed)
    if training.method == "pooled":
        if training.student.start == "random":
            blank = models.build(model["name"], classes=model["classes"], **model["options"])
        else:
            blank = deepcopy(teacher)
        blank.to(run.group.device)
        return distill_pair(blank, teacher, task, store, settings, training.student, **common), model
    fgfi = training.method == "fgfi"
    trained = distill(teacher, task, store, settings, predicts=training.predicts, fgfi=fgfi, **common)
    return trained, model


def _small(
    training: NetworkTraining,
    settings: Distill,
    teacher: nn.Module,
    model: Mapping[str, Any],
    task: Task,
    store: FrameStore,
    pretraining: PretrainTeacher,
    **common: Any,
) -> tuple[Trained, Mapping[str, Any]]:
    """Method small: for the steps of teacher and distillation together, by the teacher's optimiser."""
    named, options = training.network(model["name"], model["options"])
    model = {**model, "name": named, "options": options}
    small = models.build(named, classes=model["classes"], **options)
    small.to(common["run"].group.device)
    optimiser = pretraining.optimiser.model_copy(update={"only_learn": settings.optimiser.only_learn})
    steps = pretraining.steps + settings.steps
    longer = pretraining.model_copy(update={"steps": steps, "optimiser": optimiser})
    shared, loss = {"labels": settings.loss.task == "labels", **common}, settings.loss
    if loss.further:
        how = {"task_from": loss.task_from, **shared}
        outcome = learn_by_objectives(small, teacher, task, store, longer, loss.further, **how)
    else:
        outcome = train_per_frame(small, task, store, longer, teacher=teacher, **shared)
    if training.specialise:
        whole = longer.model_copy(update={"optimiser": pretraining.optimiser})
        outcome = specialise(small, teacher, task, store, whole, training.specialise, **common)
    return Trained(small, outcome), model


_COMPANIONS = {"flow_scale": train_flow_scale, "skip_gates": train_skip_gates}
