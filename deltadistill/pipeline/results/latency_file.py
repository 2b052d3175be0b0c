"""latency.json: measured times of frames, and what they make of a video."""

from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from deltadistill.pipeline.results.fields import Count, FrameSize, Length, Positive, is_absent


@dataclass(frozen=True)
class Timing:
    """Milliseconds over many runs."""

    median: Positive
    p95: Positive


@dataclass(frozen=True)
class VariantLatency:
    """Times of one variant; a per-frame variant has only ``frame_ms``."""

    frame_ms: Timing | None = Field(default=None, exclude_if=is_absent)
    speedup: dict[Length, Positive] = Field(default_factory=dict, exclude_if=is_absent)
    macs_bound: dict[Length, Positive] = Field(default_factory=dict, exclude_if=is_absent)
    key_ms: Timing | None = Field(default=None, exclude_if=is_absent)
    delta_ms: Timing | None = Field(default=None, exclude_if=is_absent)
    amortised_ms: dict[Length, Positive] = Field(default_factory=dict, exclude_if=is_absent)
    state_bytes: Count | None = Field(default=None, exclude_if=is_absent)


@dataclass(frozen=True)
class Latency:
    """latency.json: measured on one machine with an input of ``size`` (C, H, W)."""

    size: FrameSize
    runs: Count
    threads: Count
    variants: dict[str, VariantLatency]
    machine: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, Any] = Field(default_factory=dict)
