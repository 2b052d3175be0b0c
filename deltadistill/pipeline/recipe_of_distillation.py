"""The recipe of delta distillation (Eq. 5), and of its rivals, feature distillation and FGFI."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill import models
from deltadistill.account.candidate_costs import CostTable
from deltadistill.blocks.delta_network import delta_blocks, require_candidates
from deltadistill.blocks.design import Student
from deltadistill.blocks.designs import student_design
from deltadistill.blocks.moved_rule import maps_moved
from deltadistill.conversion.convert import convert, deploy
from deltadistill.data.batches import TrainingBatches
from deltadistill.data.frames import FrameStore, normalise
from deltadistill.data.transforms import Augment
from deltadistill.distillation.layer_errors import layer_errors
from deltadistill.distillation.search import gate_probabilities, learning_parameters
from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import Terms, equation_5, further_terms, own_modules
from deltadistill.evaluation.clips import clip_score, tune_windows
from deltadistill.evaluation.frames import inputs, teacher_reference
from deltadistill.motion.of_clips import ClipMotion
from deltadistill.objectives.near_objects import NearObjects
from deltadistill.objectives.setting import Setting
from deltadistill.pipeline.kept_costs import COUNTED, kept_costs
from deltadistill.pipeline.params import Distill, DistillOptimiser
from deltadistill.pipeline.recipe_of_search import RANKS, decided_or_searched, ranked, search_costs, selected
from deltadistill.pipeline.training_run import Trained, TrainingRun, optimise, train_on_clips
from deltadistill.processes.group import device_of
from deltadistill.stored.architecture import found_architecture
from deltadistill.tasks.task import Reference, Task


def distill(
    teacher: nn.Module,
    task: Task,
    store: FrameStore,
    settings: Distill,
    *,
    predicts: str,
    seed: int,
    run: TrainingRun,
    costs: CostTable | None = None,
    fgfi: bool = False,
) -> Trained:
    """Distill the teacher's changes ("delta") or features ("feature") into students, with search (Eq. 5).

    The teacher is on the device of the run's processes.
    costs: of every candidate, in any unit; None: what the settings' search says.
    fgfi: imitate the maps that a detector's heads read, near objects, in place of every block's
        output (FGFI). Raises ValueError for a data set without boxes.
    """
    network, students, probe = _with_students(
        teacher, store, settings, predicts=predicts, seed=seed, progress=run.group.is_first
    )
    start_gates(network, logit=settings.search.initial_logit, temperature=settings.search.temperature)
    terms = loss_terms(settings, Setting(network, probe[0], tuple(settings.augment.crop), task), fgfi=fgfi)
    companions = own_modules(terms)
    errors_before = layer_errors(network, probe)
    groups = parameter_groups(network, settings.optimiser, companions.values())
    costs = costs or kept_costs(
        lambda: search_costs(network, settings.search, size=(3, *store.size)), settings.search, run
    )
    search = decided_or_searched(network, settings, costs, probe)
    motion = None if settings.motion is None else ClipMotion(settings.motion.preset)
    trainee = DistillTraining(
        optimise(network, groups, settings, run=run, companions=companions),
        terms,
        beta=settings.loss.beta,
        search=search,
        costs=costs if search else None,
        seed=seed,
        tune_score=_judge(network, teacher, task, store, settings, group=run.group, motion_of=motion),
        motion_of=motion,
    )
    with _moving(network, settings):
        outcome = train_on_clips(trainee, store, settings, run, seed=seed)
    layers = layer_table(network, errors_before, layer_errors(network, probe))
    deployed = deploy(network)
    return Trained(
        deployed,
        outcome,
        found_architecture(deployed, students),
        gate_probabilities(network),
        layers,
        costs=None if settings.search.cost == COUNTED else costs,
    )


def _with_students(
    teacher: nn.Module, store: FrameStore, settings: Distill, *, predicts: str, seed: int, progress: bool
) -> tuple[nn.Module, Student, Tensor]:
    """The teacher's copy with students, their design, and clips (N, T, 3, H, W) of the tune split."""
    students = student_design(settings.students.design)
    device = device_of(teacher)
    clips = _initialisation_clips(store, settings, seed, device)
    windows = tune_windows(store, settings.max_distance + 1)
    probe = torch.stack([inputs(store, window) for window in windows[:4]]).to(device)
    where = selected(teacher, settings, probe[0, :2], predicts=predicts)
    if settings.search.chosen_by == RANKS:
        students = ranked(teacher, students, where, settings, clips, probe, progress=progress)
    given = {"predicts": predicts, "clips": clips, "example": probe[0, :2], "progress": progress}
    network = convert(teacher, students, where, **given)
    require_candidates(network)
    return network, students, probe


def _judge(
    network: nn.Module, teacher: nn.Module, task: Task, store: FrameStore, settings: Distill, **shared: Any
) -> Callable[[Callable[[], None]], float]:
    """The score on the tune split, from 0 to 100, as the training loop asks for it."""
    windows = tune_windows(store, settings.max_distance + 1)
    reference = _reference(teacher, task, store, settings)

    def score(between: Callable[[], None]) -> float:
        return 100 * task.score(
            clip_score(network, task, store, windows, reference, between=between, **shared)
        )

    return score


def _moving(network: nn.Module, settings: Distill) -> AbstractContextManager[None]:
    motion = settings.motion
    return nullcontext() if motion is None else maps_moved(network, coarsest=motion.coarsest)


def start_gates(network: nn.Module, *, logit: float, temperature: float) -> None:
    """Set every gate's logit and temperature before a search."""
    for block in delta_blocks(network).values():
        block.gate.temperature = temperature
        nn.init.constant_(block.gate.logit, logit)


def layer_table(
    network: nn.Module, before: Mapping[str, float], after: Mapping[str, float]
) -> list[dict[str, object]]:
    """Rows of layers.csv: every block's part of the network and its error before and after."""
    return [
        {
            "layer": name,
            "part": models.part_of(network, name),
            "error_before": before[name],
            "error_after": after[name],
        }
        for name in after
    ]


def _reference(teacher: nn.Module, task: Task, store: FrameStore, settings: Distill) -> Reference:
    if settings.loss.task == "labels":
        return task.reference(store)
    return teacher_reference(deepcopy(teacher), task, store)


def loss_terms(settings: Distill, setting: Setting, *, fgfi: bool = False) -> Terms:
    """The weighted objectives that a params section describes: Eq. 5 (or FGFI's), and those beside it."""
    loss, imitated = settings.loss, None
    if fgfi:
        imitated = NearObjects(setting, threshold=loss.fgfi.threshold)
    until = None if loss.alpha_until == 1 else round(loss.alpha_until * settings.steps)
    alpha = loss.fgfi.weight if fgfi else loss.alpha
    begin = round(loss.task_from * settings.steps)
    how = {"alpha": alpha, "task": loss.task, "alpha_steps": until, "task_begin": begin}
    terms = equation_5(setting, **how, imitated=imitated)
    return {**terms, **further_terms(loss.further, setting, steps=settings.steps)}


def _initialisation_clips(
    store: FrameStore, settings: Distill, seed: int, device: torch.device
) -> Tensor | None:
    """Clips of the train split, whole frames, for students that start from data; (N, 2, 3, H, W)."""
    students = settings.students
    if students.kind != "linear" or students.initialisation != "data":
        return None
    batches = TrainingBatches(
        store,
        "train",
        steps=1,
        batch=students.initialisation_clips,
        clip_length=2,
        max_distance=settings.max_distance,
        directions=settings.directions,
        augment=Augment(crop=store.size, scale=(1.0, 1.0), flip=False),
        seed=seed,
    )
    return normalise(batches[0]["clip"].to(device))


def parameter_groups(
    network: nn.Module, rates: DistillOptimiser, companions: Iterable[nn.Module] = ()
) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters with their highest learning rates: the teacher's, the students', the gates', and those of
    the objectives' own modules, which learn at the students' rate.
    """
    students, gates = learning_parameters(network)
    known = {id(p) for p in (*students, *gates)}
    teacher = [p for p in network.parameters() if id(p) not in known]
    return [
        (teacher, rates.learning_rate_teacher),
        (students, rates.learning_rate_student),
        (gates, rates.learning_rate_gate),
        ([p for module in companions for p in module.parameters()], rates.learning_rate_student),
    ]
