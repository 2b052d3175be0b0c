"""Times of a frame in every variant: key and delta frames as a stream has them, in any engine, in turns.

Streams go on while they are timed, a key frame, then delta frames, again and again, by the predictors that
are also evaluated.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from torch import nn

from deltadistill.account.latency import Timings, Turn
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import frame_batch, stream_of
from deltadistill.predictors.frame_batch import FrameBatch
from deltadistill.predictors.predictor import Predictor

TEACHER = "teacher"
PERIOD = 3
"""Frames from one key frame to the next while times are taken, at least; whole cycles of a predictor."""

Part = Literal["network", "end_to_end"]
"""What is timed: the network alone, on frames that lie ready; or reading the pictures, preparing them, and
making predictions of outputs as well."""
PARTS: tuple[Part, ...] = ("network", "end_to_end")
Kind = Literal["frame", "key", "delta"]
"""Which frames: any, of a variant to which all are alike; or key frames, and those between them."""
Source = Callable[[], FrameBatch]
"""Where a frame of every stream comes from."""


class What(NamedTuple):
    """What is timed, and by what."""

    engine: str
    variant: str
    part: Part
    kind: Kind


class AsTheyAre:
    """A task that takes a network's output as its prediction: the network is timed, and not what follows."""

    def predict(self, output: Any, *, network: nn.Module) -> Any:
        """Return the output."""
        return output


def period_of(predictor: Predictor) -> int:
    """Frames from one key frame to the next while this predictor is timed."""
    cycle = getattr(predictor, "cycle", 1)
    return 1 + cycle * -(-(PERIOD - 1) // cycle)


def sources(store: FrameStore, streams: int, frames: int = PERIOD) -> Mapping[Part, Sequence[Source]]:
    """By part, where so many frames in a row come from, of a test clip per stream; few clips are taken again.

    store: reads them. With a time end to end in view it keeps no decoded frames.
    """
    clips = list(store.manifest.clips("test").values())
    rows = [[_at(clips[stream % len(clips)], index) for stream in range(streams)] for index in range(frames)]
    read = [partial(frame_batch, store, each) for each in rows]
    return {"network": [partial(_same, source()) for source in read], "end_to_end": read}


def _at(clip: Sequence[Frame], index: int) -> Frame:
    return clip[index % len(clip)]  # a shorter clip begins again


def _same(ready: FrameBatch) -> FrameBatch:
    _ = ready.normalised  # made once, and kept
    return ready


def turn(of: tuple[str, str, Part], predictor: Predictor, frames: Sequence[Source]) -> Turn:
    """What a variant does in a round: answer a key frame and those after it; one frame if all are alike.

    of: engine, variant and part. frames: `period_of` the predictor. The streams begin here and have seen no
    frame yet.
    """
    predictor.begin(stream_of(frames[0](), FixedPeriod(len(frames))))
    kinds: list[Kind] = ["key"] + ["delta"] * (len(frames) - 1) if predictor.uses_history else ["frame"]
    return [
        (What(*of, kind), partial(_answer, predictor, frame))
        for kind, frame in zip(kinds, frames, strict=False)
    ]


def _answer(predictor: Predictor, frame: Source) -> Any:
    return predictor.answer(frame())


def fastest(timings: Timings, variant: str, part: Part) -> str:
    """The engine in which a variant answers a frame, or else a key frame, in the least time."""
    found = {
        what.engine: timings.median_ms(what)
        for what in timings.samples_ms
        if (what.variant, what.part) == (variant, part) and what.kind != "delta"
    }
    return min(found, key=lambda engine: found[engine])


def describe(
    timings: Timings, lengths: Iterable[int], state_bytes: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    """What latency.json says of the times of one batch size and number of threads.

    state_bytes: memory kept between frames, by engine and variant.
    Speed-ups are over the teacher in the engine that is the fastest for it.
    """
    lengths = list(lengths)
    baselines = {part: fastest(timings, TEACHER, part) for part in PARTS}
    engines: dict[str, dict[str, Any]] = {}
    for engine, variant, part in dict.fromkeys(what[:3] for what in timings.samples_ms):
        entry = engines.setdefault(engine, {}).setdefault(variant, {})
        baseline = What(baselines[part], TEACHER, part, "frame")
        entry[part] = _times(timings, (engine, variant, part), baseline, lengths)
        if kept := state_bytes.get((engine, variant)):
            entry["state_bytes"] = kept
    return {"baselines": baselines, "engines": engines}


def _times(
    timings: Timings, of: tuple[str, str, Part], baseline: What, lengths: Sequence[int]
) -> dict[str, Any]:
    frame, key, delta = (What(*of, kind) for kind in ("frame", "key", "delta"))
    if frame in timings.samples_ms:
        return {
            "frame_ms": _spread(timings, frame),
            "speedup": {1: timings.speedup(baseline, frame, frame, 1)},
        }
    return {
        "key_ms": _spread(timings, key),
        "delta_ms": _spread(timings, delta),
        "amortised_ms": {length: timings.amortised_ms(key, delta, length) for length in lengths},
        "speedup": {length: timings.speedup(baseline, key, delta, length) for length in lengths},
    }


def _spread(timings: Timings, name: What) -> dict[str, float]:
    return {"median": timings.median_ms(name), "p95": timings.p95_ms(name)}
