"""The search of a distillation, as its section of params.yaml describes it: course, costs, choices."""

from torch import Tensor, nn

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable
from deltadistill.blocks.candidates import COMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.design import Student
from deltadistill.blocks.designs import shape_design
from deltadistill.blocks.linear import LinearStudent
from deltadistill.conversion.registry import SELECTORS
from deltadistill.conversion.selectors import Selector
from deltadistill.distillation.one_shot import decide_by_output_errors, output_errors
from deltadistill.distillation.rank_choice import choose_ranks
from deltadistill.distillation.registry import BOUNDS, COSTS
from deltadistill.distillation.search_course import SearchCourse
from deltadistill.pipeline.params import Distill, Search

RANKS = "ranks"
"""Of `search.chosen_by`: every block has a rank of its own."""


def decided_or_searched(
    network: nn.Module, settings: Distill, costs: CostTable, probe: Tensor
) -> SearchCourse | None:
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


def selected(teacher: nn.Module, settings: Distill, frames: Tensor, *, predicts: str) -> Selector:
    """What is to be converted; of that what is within the search's bounds. frames: (N, 3, H, W)."""
    where, shapes = SELECTORS.find(settings.students.where), shape_design(settings.students.design)
    for name, most in settings.search.bounds.items():
        where = BOUNDS.find(name)(teacher, shapes, where, frames=frames, most=most, predicts=predicts)
    return where


def ranked(
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
