"""What the values of result files may be."""

import math
from typing import Annotated

from pydantic import AfterValidator, Field

from deltadistill.files.limits import MOST_CLIP_FRAMES, MOST_PIXELS


def _from_zero(value: float) -> float:
    if value < 0 or math.isinf(value):
        raise ValueError("an error is a number from 0, or NaN")
    return value


# A rounding error above 100 is no fault of the file.
Percent = Annotated[float, Field(ge=0, le=100.001, allow_inf_nan=False)]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Error = Annotated[float, AfterValidator(_from_zero)]  # NaN where a layer's input never changes
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**62)]
Size = Annotated[int, Field(ge=1, le=MOST_PIXELS)]
FrameSize = tuple[Size, Size, Size]  # (C, H, W)
Byte = Annotated[int, Field(ge=0, le=255)]
Length = Annotated[int, Field(ge=1, le=MOST_CLIP_FRAMES)]  # a sequence length T


def is_absent(value: object) -> bool:
    """Whether an optional value was not given: then its file does not have its key either."""
    return value is None or value == {} or value == ()
