"""Label-free distillation for so many seconds: the students learn the teacher's own changes on the video."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from deltadistill.acceleration.case import Case
from deltadistill.distillation.label_free import distill
from deltadistill.distillation.search import learning_parameters

_STEPS = (0, 1, 3, 8)  # frames behind the first of a clip
_CLIPS = 400
_TRIED, _FEWEST, _MOST = 2, 10, 4000  # optimiser steps
_SHARE = 0.85  # of the time; the judgement before and after takes some


class OutOfTimeError(Exception):
    """The time for a distillation is over; what was learned until then stays."""


class TakenBackError(Exception):
    """A distillation left the students no better than they were, and gave these back; the message says so."""


def distilled(
    case: Case,
    network: nn.Module,
    *,
    seconds: float,
    seed: int,
    clock: Callable[[], float],
    tell: Callable[[str], None],
) -> tuple[int, Mapping[str, Tensor]]:
    """Train the students in place, for a number of steps that fits; the steps, 0 where none fits.

    And the students' tensors by name. Steps are of a coarse scale, so that the same time gives the same
    number again, mostly. Raises TakenBackError where the students are what they were.
    """
    clips, end = case.clips(most=_CLIPS, steps=_STEPS), clock() + seconds

    def until() -> None:
        if clock() > end:
            raise OutOfTimeError

    clips.until, begun = until, clock()
    try:
        distill(network, clips, steps=_TRIED, batch=1, learning_rate=1e-6, seed=seed, progress=False)
    except OutOfTimeError:
        return 0, {}
    each = (clock() - begun) / (2 * _TRIED)  # a step, and about as long to judge, before and after
    steps = rounded(_SHARE * (end - clock()) / each, fewest=_FEWEST, most=_MOST)
    if steps < _FEWEST:
        return 0, {}
    tell(f"distilling for {steps} steps, about {steps * each:.0f} s")
    before = students_of(network)
    try:
        distill(network, clips, steps=steps, batch=1, seed=seed, progress=False)
    except (OutOfTimeError, FloatingPointError) as error:
        tell(f"the distillation ended early: {error or 'out of time'}")
    after = students_of(network)
    if all(torch.equal(after[name], before[name]) for name in before):
        raise TakenBackError(
            f"the students were no better after {steps} steps, and are what they were before"
        )
    return steps, after


def students_of(network: nn.Module) -> dict[str, Tensor]:
    """Tensors of the students, by name."""
    learned = {id(parameter) for parameter in learning_parameters(network)[0]}
    return {
        name: parameter.detach().clone()
        for name, parameter in network.named_parameters()
        if id(parameter) in learned
    }


def rounded(steps: float, *, fewest: int, most: int) -> int:
    """The next lower of `fewest` and its doubles up to `most`; 0 below the fewest."""
    count = fewest
    while 2 * count <= min(steps, most):
        count *= 2
    return count if steps >= fewest else 0
