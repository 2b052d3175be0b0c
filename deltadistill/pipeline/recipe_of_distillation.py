"""The recipe of delta distillation (Eq. 5), and of its rivals, feature distillation and FGFI."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy

import torch
from torch import Tensor, nn

from deltadistill import models
from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable
from deltadistill.blocks.candidates import COMPRESSED
from deltadistill.blocks.delta_network import delta_blocks, require_candidates
from deltadistill.blocks.design import Student
from deltadistill.blocks.designs import shape_design, student_design
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.moved_rule import maps_moved
from deltadistill.conversion.convert import convert, deploy
from deltadistill.conversion.registry import SELECTORS
from deltadistill.conversion.selectors import Selector
from deltadistill.data.batches import TrainingBatches
from deltadistill.data.frames import FrameStore, normalise
from deltadistill.data.transforms import Augment
from deltadistill.distillation.layer_errors import layer_errors
from deltadistill.distillation.memory_choice import within_memory
from deltadistill.distillation.one_shot import decide_by_output_errors, output_errors
from deltadistill.distillation.rank_choice import choose_ranks
from deltadistill.distillation.registry import COSTS
from deltadistill.distillation.search import gate_probabilities, learning_parameters
from deltadistill.distillation.search_course import SearchCourse
from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import Terms, equation_5, further_terms, own_modules
from deltadistill.evaluation.clips import clip_score, tune_windows
from deltadistill.evaluation.frames import inputs, teacher_reference
from deltadistill.motion.of_clips import ClipMotion
from deltadistill.objectives.near_objects import NearObjects
from deltadistill.objectives.setting import Setting
from deltadistill.pipeline.kept_costs import COUNTED, kept_costs
from deltadistill.pipeline.params import Distill, DistillOptimiser, Search
from deltadistill.pipeline.training_run import Trained, TrainingRun, optimise, train_on_clips
from deltadistill.processes.group import device_of
from deltadistill.stored.architecture import found_architecture
from deltadistill.tasks.task import Reference, Task

RANKS = "ranks"
"""Of `search.chosen_by`: every block has a rank of its own."""


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
    students, where = student_design(settings.students.design), SELECTORS.find(settings.students.where)
    device = device_of(teacher)
    clips = _initialisation_clips(store, settings, seed, device)
    windows = tune_windows(store, settings.max_distance + 1)
    probe = torch.stack([inputs(store, window) for window in windows[:4]]).to(device)
    if settings.search.memory_mib is not None:
        shapes, frames = shape_design(settings.students.design), probe[0, :2]
        bound = {"memory_mib": settings.search.memory_mib, "predicts": predicts}
        where = within_memory(teacher, shapes, where, frames=frames, **bound)
    if settings.search.chosen_by == RANKS:
        students = _ranked(teacher, students, where, settings, clips, probe, progress=run.group.is_first)
    network = convert(
        teacher,
        students,
        where,
        predicts=predicts,
        clips=clips,
        example=probe[0, :2],
        progress=run.group.is_first,
    )
    require_candidates(network)
    start_gates(network, logit=settings.search.initial_logit, temperature=settings.search.temperature)
    reference = _reference(teacher, task, store, settings)
    terms = loss_terms(settings, Setting(network, probe[0], tuple(settings.augment.crop), task), fgfi=fgfi)
    companions = own_modules(terms)
    errors_before = layer_errors(network, probe)
    groups = parameter_groups(network, settings.optimiser, companions.values())

    motion = None if settings.motion is None else ClipMotion(settings.motion.preset)

    def tune_score(between: Callable[[], None]) -> float:
        shared = {"group": run.group, "between": between, "motion_of": motion}
        return 100 * task.score(clip_score(network, task, store, windows, reference, **shared))

    size = (3, *store.size)
    costs = costs or kept_costs(
        lambda: search_costs(network, settings.search, size=size), settings.search, run
    )
    search = _search(network, settings, costs, probe)
    trainee = DistillTraining(
        optimise(network, groups, settings, run=run, companions=companions),
        terms,
        beta=settings.loss.beta,
        search=search,
        costs=costs if search else None,
        seed=seed,
        tune_score=tune_score,
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
    terms = equation_5(setting, alpha=alpha, task=loss.task, alpha_steps=until, imitated=imitated)
    return {**terms, **further_terms(loss.further, setting, steps=settings.steps)}


def _search(network: nn.Module, settings: Distill, costs: CostTable, probe: Tensor) -> SearchCourse | None:
    """The course of the search; None where every block is decided before the training."""
    course = search_course(settings.search, settings.steps)
    if settings.search.chosen_by == "gates":
        return course
    if settings.search.chosen_by == RANKS:
        for block in delta_blocks(network).values():
            block.decide(COMPRESSED)
        return None
    assert course.target is not None  # the parameters say so
    decide_by_output_errors(network, costs, course.target, output_errors(network, probe))
    return None


def _ranked(
    teacher: nn.Module,
    students: Student,
    where: Selector,
    settings: Distill,
    clips: Tensor | None,
    judged: Tensor,
    *,
    progress: bool,
) -> Student:
    """The students with a rank for each block that reach the search's target."""
    assert clips is not None  # the parameters say so, and what students are
    assert isinstance(students, LinearStudent)
    assert settings.search.target is not None
    return choose_ranks(
        teacher,
        clips,
        **settings.search.target.model_dump(),
        students=students,
        where=where,
        judged=judged,
        progress=progress,
    )


def search_course(search: Search, steps: int) -> SearchCourse:
    """Make the course of the search that a params section describes, over so many steps."""
    return SearchCourse(
        warmup=round(search.warmup * steps),
        freeze=round(search.freeze * steps),
        budget=search.delta_budget,
        target=AmortisedTarget(**search.target.model_dump()) if search.target else None,
    )


def search_costs(network: nn.Module, search: Search, *, size: tuple[int, int, int]) -> CostTable:
    """Costs of every candidate at a frame size (C, H, W), as the search's target or budget is meant."""
    length = search.target.length if search.target else None
    return COSTS.find(search.cost)(network, size, length=length, **search.cost_options)


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
