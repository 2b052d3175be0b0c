"""latency.json: measured times of frames in every engine, and what they make of a video."""

from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from deltadistill.pipeline.results.fields import Count, FrameSize, Length, Positive, is_absent

Part = Literal["network", "end_to_end"]


@dataclass(frozen=True)
class Timing:
    """Milliseconds over many calls; a call answers one frame of every stream."""

    median: Positive
    p95: Positive


@dataclass(frozen=True)
class Times:
    """One variant in one engine: ``frame_ms`` where all frames are alike, else key and delta frames.

    Speed-ups are over the teacher on every frame in the engine that is the fastest for it. Where all frames
    are alike one stands for every length, under 1.
    """

    frame_ms: Timing | None = Field(default=None, exclude_if=is_absent)
    key_ms: Timing | None = Field(default=None, exclude_if=is_absent)
    delta_ms: Timing | None = Field(default=None, exclude_if=is_absent)
    amortised_ms: dict[Length, Positive] = Field(default_factory=dict, exclude_if=is_absent)
    speedup: dict[Length, Positive] = Field(default_factory=dict, exclude_if=is_absent)

    def ms_at(self, length: int) -> float | None:
        """Milliseconds per frame of sequences of a length; None where that was not measured."""
        return self.frame_ms.median if self.frame_ms else self.amortised_ms.get(length)

    def speedup_at(self, length: int) -> float | None:
        """How many times faster than the teacher sequences of a length run; None where not measured."""
        return self.speedup.get(1 if self.frame_ms else length)


@dataclass(frozen=True)
class VariantTimes:
    """Times of the network alone, and from the picture's file to the prediction; what a stream keeps."""

    network: Times
    end_to_end: Times | None = Field(default=None, exclude_if=is_absent)
    state_bytes: Count | None = Field(default=None, exclude_if=is_absent)


@dataclass(frozen=True)
class Condition:
    """What was timed in turns: every variant, in every engine, at one batch size and number of threads.

    baselines: the engine of the teacher that speed-ups are over. engines: by name, then variant.
    """

    batch: Count
    threads: Count
    rounds: Count
    baselines: dict[Part, str]
    engines: dict[str, dict[str, VariantTimes]]
    precision: str = "fp32"

    def times(self, variant: str, part: Part = "network") -> dict[str, Times]:
        """Times of a variant by engine, of those that it was timed in."""
        found = {engine: getattr(of[variant], part) for engine, of in self.engines.items() if variant in of}
        return {engine: times for engine, times in found.items() if times is not None}

    def fastest(self, variant: str, length: int, part: Part = "network") -> tuple[str, Times] | None:
        """The engine that takes the least time per frame at a length, and the times; None if not measured."""
        found = {
            engine: times
            for engine, times in self.times(variant, part).items()
            if times.ms_at(length) is not None
        }
        engine = min(found, key=lambda engine: found[engine].ms_at(length), default=None)
        return None if engine is None else (engine, found[engine])

    @property
    def variants(self) -> list[str]:
        """Every variant that was timed, in the order of the file."""
        return list(dict.fromkeys(name for variants in self.engines.values() for name in variants))


@dataclass(frozen=True)
class LeftOut:
    """What was not timed in an engine, and why."""

    engine: str
    variant: str
    reason: str


@dataclass(frozen=True)
class Latency:
    """latency.json: measured on one machine with frames of ``size`` (C, H, W).

    macs_bound: by variant the speed-ups that MACs alone would allow. The first condition is the one that
    summary and figures show.
    """

    size: FrameSize
    conditions: tuple[Condition, ...] = Field(min_length=1)
    macs_bound: dict[str, dict[Length, Positive]] = Field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = Field(default=(), exclude_if=is_absent)
    machine: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _of_before_engines(cls, found: Any) -> Any:
        """Files of before there were engines: eager PyTorch alone, one frame, teacher and streams."""
        if not isinstance(found, dict) or "variants" not in found:
            return found
        found = dict(found)
        variants = found.pop("variants")
        if not isinstance(variants, dict) or not all(isinstance(of, dict) for of in variants.values()):
            raise ValueError("variants: expected an entry for each variant")
        condition = {
            "batch": 1,
            "threads": found.pop("threads", None),
            "rounds": found.pop("runs", None),
            "baselines": {"network": "eager"},
            "engines": {"eager": {name: _as_variant_times(of) for name, of in variants.items()}},
        }
        bounds = {name: of["macs_bound"] for name, of in variants.items() if "macs_bound" in of}
        return found | {"conditions": [condition], "macs_bound": bounds}

    @property
    def shown(self) -> Condition:
        """The condition that summary and figures show."""
        return self.conditions[0]


def _as_variant_times(of: dict[str, Any]) -> dict[str, Any]:
    times = {name: value for name, value in of.items() if name not in ("macs_bound", "state_bytes")}
    if "frame_ms" in times:
        times |= {"speedup": {1: 1.0}}  # the teacher itself
    kept = {"state_bytes": of["state_bytes"]} if "state_bytes" in of else {}
    return {"network": times} | kept
