"""totals.json and macs.csv: what a frame costs, by convention and layer by layer."""

from pydantic import Field
from pydantic.dataclasses import dataclass

from deltadistill.pipeline.results.fields import Count, FrameSize, Length, Positive


@dataclass(frozen=True)
class MacConvention:
    """Total MACs of a teacher frame, a key frame and a delta frame, and amortised for each T."""

    teacher: Count
    key: Count
    delta: Count
    amortised: dict[Length, Count | Positive]


@dataclass(frozen=True)
class Uncounted:
    """An operator that costs time but is in no MAC count; ``frames``: on which frames it runs."""

    operator: str
    calls: Count
    elements: Count | None = None
    frames: str = "every"


@dataclass(frozen=True)
class MacTotals:
    """totals.json: the two conventions for an input of ``size`` (C, H, W)."""

    size: FrameSize
    convolution: MacConvention
    published: MacConvention
    uncounted: tuple[Uncounted, ...] = Field(default=())


@dataclass(frozen=True)
class MacLayer:
    """One row of macs.csv; shapes and kernels as 16x24x48, empty where there is none."""

    layer: str
    part: str
    operator: str
    input_shape: str | None
    output_shape: str | None
    kernel: str | None
    stride: str | None
    groups: Count | None
    teacher_macs: Count
    compressed_macs: Count | None
    rank: Count | None
    convertible: bool
    reason: str | None = None
