"""Timing of teacher, key and delta frames of several predictors, in turns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from deltadistill.account.latency import Timings
from deltadistill.account.macs import count_macs
from deltadistill.account.network_costs import network_costs
from deltadistill.blocks.schedules import FixedPeriod, KeySchedule
from deltadistill.evaluation.frames import stream_of
from deltadistill.predictors import predictor as predictors
from deltadistill.predictors.frame_batch import FrameBatch
from deltadistill.predictors.predictor import MAIN, Predictor

TEACHER = "teacher"


class AsTheyAre:
    """A task that takes a network's output as its prediction: the network is timed, and not what follows."""

    def predict(self, output: Any, *, network: nn.Module) -> Any:
        """Return the output."""
        return output


@dataclass(frozen=True)
class Timed:
    """A variant to be timed: a predictor that is past its key frame, and one that sees key frames only."""

    network: nn.Module
    delta: Predictor
    key: Predictor


def timed(
    predict: str, network: nn.Module, before: FrameBatch, *, options: Mapping[str, Any] | None = None
) -> Timed:
    """Make the predictors of a variant, in the state that the frame `before` leaves."""
    made = [predictors.build(predict, network, AsTheyAre(), options=options) for _ in range(2)]
    for predictor, schedule in zip(made, (FixedPeriod(2**62), FixedPeriod(1)), strict=True):
        _begin(predictor, before, schedule)
    return Timed(network, *made)


def _begin(predictor: Predictor, before: FrameBatch, schedule: KeySchedule) -> None:
    predictor.begin(stream_of(before, schedule))
    predictor.answer(before)


def calls_to_time(
    teacher: nn.Module, variants: Mapping[str, Timed], now: FrameBatch
) -> dict[str, Callable[[], object]]:
    """What `latency.measure` shall time, on the frame `now`: the teacher, each variant's key and delta."""
    calls: dict[str, Callable[[], object]] = {TEACHER: partial(_without_gradient, teacher, now.normalised)}
    for name, variant in variants.items():
        calls[_key(name)] = partial(variant.key.answer, now)
        calls[_delta(name)] = partial(variant.delta.answer, now)
    return calls


@torch.no_grad()
def _without_gradient(network: nn.Module, frames: torch.Tensor) -> Any:
    return network(frames)


def describe_teacher(timings: Timings) -> dict[str, Any]:
    """The entry of the teacher in latency.json."""
    return {"frame_ms": _spread(timings, TEACHER)}


def describe_variant(
    timings: Timings,
    name: str,
    variant: Timed,
    teacher: nn.Module,
    *,
    size: Sequence[int],
    lengths: Iterable[int],
) -> dict[str, Any]:
    """The entry of a variant in latency.json; `macs_bound` is the speedup that MACs would allow."""
    key, delta, lengths = _key(name), _delta(name), list(lengths)
    teacher_macs = count_macs(teacher, size).teacher
    costs = variant.delta.costs(network_costs({MAIN: variant.network}, size))
    return {
        "speedup": {length: timings.speedup(TEACHER, key, delta, length) for length in lengths},
        "macs_bound": {length: teacher_macs / costs.amortised(length).macs for length in lengths},
        "key_ms": _spread(timings, key),
        "delta_ms": _spread(timings, delta),
        "amortised_ms": {length: timings.amortised_ms(key, delta, length) for length in lengths},
        "state_bytes": variant.delta.state_bytes,
    }


def _key(name: str) -> str:
    return f"{name} key"


def _delta(name: str) -> str:
    return f"{name} delta"


def _spread(timings: Timings, name: str) -> dict[str, float]:
    return {"median": timings.median_ms(name), "p95": timings.p95_ms(name)}
