"""All variants in all engines, timed in turns at one batch size and number of threads."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from typing import Any, Literal

import torch
from torch import nn

from deltadistill.account.latency import Turn, measure_turns
from deltadistill.account.machine import usable_cores
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation import in_engines
from deltadistill.evaluation.costs_by_length import costs_by_length
from deltadistill.evaluation.frame_times import (
    PARTS,
    TEACHER,
    AsTheyAre,
    Part,
    Source,
    describe,
    period_of,
    sources,
    turn,
)
from deltadistill.evaluation.in_engines import EngineNetwork, Exported
from deltadistill.predictors import predictor as predictors
from deltadistill.predictors.predictor import Predictor
from deltadistill.predictors.registry import PREDICTORS
from deltadistill.tasks.task import Task

EAGER = "eager"
"""PyTorch as it is, by the predictors themselves, without graphs."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variant:
    """A variant as it is made ready: how it predicts, and with what; networks are in evaluation mode.

    networks: those beside `network`, by the names of the predictor's arguments.
    """

    predict: str
    network: nn.Module
    options: Mapping[str, Any] = field(default_factory=dict)
    networks: Mapping[str, nn.Module] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """What all variants share in one measurement: frames of `batch` streams, processor threads, rounds.

    seconds: after which no further round begins, once there are enough for a median.
    precision: of the engines' arithmetic; eager is timed in "fp32" alone.
    """

    batch: int
    threads: int
    runs: int
    warmup: int
    seconds: float
    precision: str = "fp32"


def conditions_of(
    batches: Iterable[int],
    threads: Iterable[int | Literal["all"]],
    precisions: Iterable[str] = ("fp32",),
    *,
    runs: int,
    warmup: int,
    seconds: float,
) -> list[Condition]:
    """Every combination once, the first of each first.

    threads: "all" are those that this process may run on.
    """
    counts = dict.fromkeys(usable_cores() if count == "all" else count for count in threads)
    return [
        Condition(batch, count, runs, warmup, seconds, precision)
        for precision, count, batch in product(precisions, counts, dict.fromkeys(batches))
    ]


def macs_bounds(
    variants: Mapping[str, Variant],
    lengths: Iterable[int],
    *,
    size: Sequence[int],
    store: FrameStore | None = None,
) -> dict[str, dict[int, float]]:
    """By variant and length the speed-up over the teacher that MACs alone would allow; size: (C, H, W).

    store: whose test clips say what a frame costs where that depends on the picture.
    """
    teacher, lengths = variants[TEACHER].network, list(lengths)
    found = {}
    for name, variant in variants.items():
        given = {"networks": variant.networks}
        predictor = predictors.build(
            variant.predict, variant.network, AsTheyAre(), options=variant.options, **given
        )
        costs = costs_by_length(predictor, variant.network, teacher, lengths, size=size, store=store, **given)
        found[name] = {length: 1 / cost["macs_ratio"] for length, cost in costs.items() if cost["macs_ratio"]}
    return found


Graphs = Mapping[nn.Module, Exported]
"""What engines run, by network; written when first asked for."""


@contextmanager
def graphs_of(variants: Mapping[str, Variant]) -> Iterator[Graphs]:
    """The variants' networks as engines run them; their files are removed at the end."""
    with ExitStack() as stack:
        networks = dict.fromkeys(
            network for each in variants.values() for network in (each.network, *each.networks.values())
        )
        yield {network: stack.enter_context(Exported(network)) for network in networks}


@dataclass(frozen=True)
class Timed:
    """An entry of latency.json's conditions, None where the teacher could not be timed; and what was not.

    left_out: engine, variant and reason.
    """

    entry: dict[str, Any] | None
    left_out: list[dict[str, str]]


def time_variants(
    variants: Mapping[str, Variant],
    engines: Sequence[str],
    task: Task,
    store: FrameStore,
    condition: Condition,
    *,
    graphs: Graphs,
    lengths: Iterable[int],
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Timed:
    """Time all variants in all engines in turns.

    variants: the teacher among them, which runs on every frame. store: keeps no decoded frames.
    """
    torch.set_num_threads(condition.threads)
    frames = cache(partial(sources, store, condition.batch))  # most take equally many
    build = partial(_predictors, task=task, condition=condition, graphs=graphs)
    ready, left_out = _made_ready(variants, engines, frames, build)
    if not any(name == TEACHER for _, name in ready):
        return Timed(None, left_out)
    timings = measure_turns(
        [each for turns, _ in ready.values() for each in turns],
        runs=condition.runs,
        warmup=condition.warmup,
        seconds=condition.seconds,
        progress=progress,
    )
    about = {
        "batch": condition.batch,
        "threads": condition.threads,
        "precision": condition.precision,
        "rounds": timings.rounds,
    }
    kept = {name: predictor.state_bytes for name, (_, predictor) in ready.items()}
    return Timed(about | describe(timings, lengths, kept), left_out)


Ready = dict[tuple[str, str], tuple[list[Turn], Predictor]]


def _made_ready(
    variants: Mapping[str, Variant],
    engines: Sequence[str],
    frames: Callable[[int], Mapping[Part, Sequence[Source]]],
    build: Callable[[str, str, Variant], dict[Part, Predictor]],
) -> tuple[Ready, list[dict[str, str]]]:
    ready: Ready = {}
    left_out = []
    for engine, (name, variant) in product(engines, variants.items()):
        try:
            made = build(engine, name, variant)
            turns = [
                turn((engine, name, part), made[part], frames(period_of(made[part]))[part]) for part in PARTS
            ]
            _try(turns)
        except Exception as error:  # of an engine, or of code of a user's own: others are timed all the same
            left_out.append({"engine": engine, "variant": name, "reason": _in_words(error)})
            _log.warning("not timed: %s in the engine %s: %s", name, engine, _in_words(error))
        else:
            ready[engine, name] = turns, made["network"]
    return ready, left_out


def _predictors(
    engine: str, name: str, variant: Variant, *, task: Task, condition: Condition, graphs: Graphs
) -> dict[Part, Predictor]:
    """The variant's predictors for the network alone and end to end; ValueError where an engine has none."""
    predict = "per_frame" if name == TEACHER else variant.predict
    alone = task if getattr(PREDICTORS.find(predict), "works_on_predictions", False) else AsTheyAre()
    tasks: dict[Part, Any] = {"network": alone, "end_to_end": task}
    if engine == EAGER:
        if condition.precision != "fp32":
            raise ValueError(f"eager is timed in fp32, not in {condition.precision}")
        make = partial(predictors.build, predict, variant.network, networks=variant.networks)
    else:
        settings = {"threads": condition.threads, "precision": condition.precision}
        main, *beside = (
            EngineNetwork(graphs[each], engine, **settings)
            for each in (variant.network, *variant.networks.values())
        )
        networks = dict(zip(variant.networks, beside, strict=True))
        make = partial(in_engines.build, predict, main, networks=networks)
    return {part: make(of, options=variant.options) for part, of in tasks.items()}


def _try(turns: Sequence[Turn]) -> None:
    for each in turns:
        for _, call in each:
            call()


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0][:300]
