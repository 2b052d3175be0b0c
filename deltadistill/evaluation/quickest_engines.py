"""Which engines are worth timing everything in: the one that is fastest for the teacher, and for a stream."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.frame_times import TEACHER, sources
from deltadistill.evaluation.timed_variants import Condition, Graphs, Variant, time_variants
from deltadistill.predictors.predictor import has_delta_frames
from deltadistill.runtime.registry import ENGINES
from deltadistill.tasks.task import Task

AUTO = "auto"
# Not tried unasked: PyTorch itself, timed without graphs, and what compiles for minutes.
_NOT_TRIED = ("eager", "compile", "package")
_ROUNDS = {"runs": 7, "warmup": 2, "seconds": 10.0}


def engines_to_time(
    wanted: Sequence[str],
    variants: Mapping[str, Variant],
    task: Task,
    store: FrameStore,
    condition: Condition,
    *,
    graphs: Graphs,
    lengths: Iterable[int],
) -> list[str]:
    """The engines of a list in which "auto" stands for the fastest others, tried out for some seconds.

    These are the engine in which the teacher takes the least time per frame, and those in which the first
    variant with delta frames does at any of `lengths`: a dear key frame weighs little in a long sequence.
    condition: that of the trial, but for its rounds.
    """
    named = [name for name in wanted if name != AUTO]
    if AUTO not in wanted:
        return named
    candidates = _candidates(variants[TEACHER], store, condition, graphs)
    if len(candidates) < 2:
        return list(dict.fromkeys([*named, *candidates]))
    tried = _tried(variants)
    trial = Condition(condition.batch, condition.threads, **_ROUNDS, precision=condition.precision)
    found = time_variants(tried, candidates, task, store, trial, graphs=graphs, lengths=lengths)
    engines = found.entry["engines"] if found.entry else {}
    return list(dict.fromkeys([*named, *fastest_of(engines)]))


def fastest_of(engines: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Of the entries of some engines, those that are fastest for any of their variants, at any length."""
    times: dict[tuple[str, int], dict[str, float]] = {}
    for engine, variants in engines.items():
        for name, entry in variants.items():
            for length, ms in _ms_by_length(entry).items():
                times.setdefault((name, length), {})[engine] = ms
    return list(dict.fromkeys(min(found, key=lambda engine: found[engine]) for found in times.values()))


def _ms_by_length(entry: Mapping[str, Any]) -> dict[int, float]:
    """Milliseconds per frame of each length that has delta frames; of a network on every frame under 1."""
    times = entry["network"]
    if "frame_ms" in times:
        return {1: times["frame_ms"]["median"]}
    return {int(length): ms for length, ms in times["amortised_ms"].items() if int(length) > 1}


def _candidates(teacher: Variant, store: FrameStore, condition: Condition, graphs: Graphs) -> list[str]:
    example = sources(store, condition.batch)["network"][0]().normalised
    try:
        found = graphs[teacher.network].loaded(example).engines(precision=condition.precision)
    except Exception:  # then one engine is tried all the same, so that the reason is told of every variant
        return [name for name in ENGINES if name not in _NOT_TRIED][:1]
    return [name for name in found if name not in _NOT_TRIED]


def _tried(variants: Mapping[str, Variant]) -> dict[str, Variant]:
    streams = [name for name, variant in variants.items() if has_delta_frames(variant.predict)]
    return {name: variants[name] for name in (TEACHER, *streams[:1])}
