"""Timing of teacher, key and delta frames of several delta networks, in turns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from deltadistill.account.latency import Timings
from deltadistill.account.macs import count_macs
from deltadistill.blocks.stream import Stream

TEACHER = "teacher"


def streams_of(networks: Mapping[str, nn.Module], before: Tensor) -> dict[str, Stream]:
    """A stream of every network but the teacher, in the state that the frame `before` leaves."""
    streams = {
        name: Stream(network, period=2**62)  # the first frame is its only key frame
        for name, network in networks.items()
        if name != TEACHER
    }
    for stream in streams.values():
        stream(before)
    return streams


def calls_to_time(
    teacher: nn.Module, streams: Mapping[str, Stream], now: Tensor
) -> dict[str, Callable[[], object]]:
    """What `latency.measure` shall time, on the frame `now`: the teacher, every network's key and delta."""
    calls: dict[str, Callable[[], object]] = {TEACHER: partial(teacher, now)}
    for name, stream in streams.items():
        calls[_key(name)] = partial(Stream(stream.network, period=1), now)
        calls[_delta(name)] = partial(stream, now)
    return calls


def describe_teacher(timings: Timings) -> dict[str, Any]:
    """The entry of the teacher in latency.json."""
    return {"frame_ms": _spread(timings, TEACHER)}


def describe_stream(
    timings: Timings,
    name: str,
    stream: Stream,
    teacher: nn.Module,
    *,
    size: Sequence[int],
    lengths: Iterable[int],
) -> dict[str, Any]:
    """The entry of a delta network in latency.json; `macs_bound` is the speedup that MACs would allow."""
    key, delta, lengths = _key(name), _delta(name), list(lengths)
    teacher_macs, table = count_macs(teacher, size).teacher, count_macs(stream.network, size)
    return {
        "speedup": {length: timings.speedup(TEACHER, key, delta, length) for length in lengths},
        "macs_bound": {length: teacher_macs / table.amortised(length) for length in lengths},
        "key_ms": _spread(timings, key),
        "delta_ms": _spread(timings, delta),
        "amortised_ms": {length: timings.amortised_ms(key, delta, length) for length in lengths},
        "state_bytes": stream.state_bytes,
    }


def _key(name: str) -> str:
    return f"{name} key"


def _delta(name: str) -> str:
    return f"{name} delta"


def _spread(timings: Timings, name: str) -> dict[str, float]:
    return {"median": timings.median_ms(name), "p95": timings.p95_ms(name)}
