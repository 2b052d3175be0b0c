"""The form of an array that goes into a runner's graphs or comes out of them, as runner.json has it."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_BYTES = 2**36  # of one tensor: far beyond any memory, and no number overflows
_MOST_AXES = 8

Side = Annotated[int, Field(ge=1, le=2**31)]


class TensorForm(BaseModel):
    """A tensor that goes in or out: its name in the graph, its sizes, and the type of its values.

    shape: sizes by axis; a name in place of a number is an axis of any size, the same one wherever it stands.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=500)]
    shape: Annotated[list[Side | str], Field(max_length=_MOST_AXES)]
    dtype: Literal["float32", "float16", "float64", "uint8", "int64", "int32", "bool"]

    def shape_at(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Its shape where axes of any size have these; those that are not named are 1."""
        return tuple(sizes.get(side, 1) if isinstance(side, str) else side for side in self.shape)

    @model_validator(mode="after")
    def _is_of_a_size(self) -> "TensorForm":
        if math.prod(self.shape_at({})) > MOST_BYTES:
            raise ValueError(f"{self.name!r} of shape {self.shape} is larger than any memory")
        return self

    def require(self, array: Any) -> None:
        """Raise ValueError for a frame that has not this form."""
        if not isinstance(array, np.ndarray):
            raise ValueError(
                f"expected a numpy array, got {type(array).__name__}; a tensor's is tensor.numpy()"
            )
        fits = len(array.shape) == len(self.shape) and all(
            isinstance(want, str) or want == side for want, side in zip(self.shape, array.shape, strict=True)
        )
        if not fits or array.dtype != self.dtype:
            raise ValueError(
                f"a frame of {array.dtype} and shape {tuple(array.shape)}, where this runner takes "
                f"{self.dtype} of shape ({', '.join(map(str, self.shape))})"
            )
