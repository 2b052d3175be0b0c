"""The recipe of a per-frame student whose maps become small earlier (ReDistill), and of its rivals."""

from collections.abc import Sequence

import torch
from torch import nn

from deltadistill.conversion.red_blocks import (
    Attachment,
    attach_red_blocks,
    found_attachments,
    red_place,
)
from deltadistill.data.frames import FrameStore
from deltadistill.distillation.per_frame import PerFrameDistillation
from deltadistill.distillation.weighted import further_terms, own_modules, task_terms
from deltadistill.evaluation.frames import labelled_frames
from deltadistill.models.pool_earlier import Stride, earlier_strides, pool_earlier
from deltadistill.objectives.setting import Setting
from deltadistill.pipeline.params import Distill
from deltadistill.pipeline.params.trainings import EarlyStudent
from deltadistill.pipeline.recipe_per_frame import per_frame_tune_score
from deltadistill.pipeline.training_run import Trained, TrainingRun, optimise, run_training
from deltadistill.stored.early_student import early_architecture
from deltadistill.tasks.task import Task
from deltadistill.training.batch_norm import synchronised_batch_norm


def distill_pair(
    network: nn.Module,
    teacher: nn.Module,
    task: Task,
    store: FrameStore,
    settings: Distill,
    student: EarlyStudent,
    *,
    seed: int,
    run: TrainingRun,
) -> Trained:
    """Make `network`, of the teacher's kind, the student that is described, and train it on single frames.

    It learns from the objectives of the settings' loss; alpha, beta and the search are of delta networks and
    have no meaning here. Raises ValueError for a student that cannot be (see `early_student`).
    """
    size = (3, *store.size)
    made, strides, attachments = early_student(network, teacher.eval(), student, size)
    frames = torch.zeros(1, *size).to(next(teacher.parameters()))
    setting = Setting(
        made,
        frames,
        tuple(settings.augment.crop),
        task,
        teacher=teacher,
        pairs=tuple((red_place(each)[0], each.taught_by) for each in attachments),
    )
    further = further_terms(settings.loss.further, setting, steps=settings.steps)
    begin = round(settings.loss.task_from * settings.steps)
    terms = {**task_terms(setting, settings.loss.task, begin=begin), **further}
    companions = own_modules(terms)
    learning = [made, *companions.values()]
    rate = settings.optimiser.learning_rate_student
    groups = [([p for module in learning for p in module.parameters()], rate)]
    made = synchronised_batch_norm(made, run.group)
    by_labels = settings.loss.task != "teacher" and labelled_frames(store, "tune")
    trainee = PerFrameDistillation(
        optimise(made, groups, settings, run=run, companions=companions),
        terms,
        seed=seed,
        tune_score=per_frame_tune_score(made, task, store, run, None if by_labels else teacher),
        teacher=teacher,
    )
    outcome = run_training(trainee, store, settings, run, clip_length=1, max_distance=0, seed=seed)
    return Trained(made.eval(), outcome, early_architecture(made, strides, attachments))


def early_student(
    network: nn.Module, teacher: nn.Module, student: EarlyStudent, size: Sequence[int]
) -> tuple[nn.Module, dict[str, Stride], list[Attachment]]:
    """The student of frames of a size (C, H, W), the strides it has got, and its RED blocks.

    network: of the teacher's kind, which is left as it is. Raises ValueError for a factor or schedule that
    does not fit the network, that leaves a map without rows, and for RED blocks that have no place.
    """
    how = {"schedule": student.schedule, "size": size}
    strides = earlier_strides(network, student.factor, **how)
    made = pool_earlier(network, student.factor, **how)
    if student.red_blocks == "none":
        return made, strides, []
    frames = torch.zeros(1, *size).to(next(network.parameters()))
    if student.red_blocks == "auto":
        attachments = found_attachments(made, teacher, frames)
    else:
        attachments = [Attachment(each.module, each.taught_by) for each in student.red_blocks]
    attach_red_blocks(made, attachments, frames)
    return made, strides, attachments
