"""How a runner answers the frames between its key frames, as runner.json tells it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Side = Annotated[int, Field(ge=16, le=4096)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FlowForm(_Strict):
    """How motion is estimated: DIS flow (Kroeger et al., 2016) by OpenCV.

    preset: of OpenCV, how carefully. side: pixels of the longer side of the pictures that it is estimated on,
    at most. chained: from each frame to the next, added up; else from the frame that was computed last.
    """

    preset: Literal["ultrafast", "fast", "medium"] = "ultrafast"
    side: Side = 320
    chained: bool = False

    def __str__(self) -> str:
        return f"{self.preset}, {self.side} pixels{', chained' if self.chained else ''}"


class Between(_Strict):
    """kind: "delta": frames between key frames are computed, by the delta graph. "copied", "moved": such
    frames have the answer of the frame that was computed last, as it is, or moved along with the picture.

    every: of "copied" and "moved": after a key frame every so many-th frame is computed by the delta graph
        all the same; None: key frames alone are computed, by the per-frame graph.
    flow: of "moved". decoder: the name of the one (video/decoders.py) whose answers are moved; None: of a
        decoder that is no name of this library, which has to be given.
    """

    kind: Literal["delta", "copied", "moved"] = "delta"
    every: Annotated[int, Field(ge=2, le=2**31)] | None = None
    flow: FlowForm | None = None
    decoder: Literal["labels", "boxes", "map", "tensors"] | None = None

    def computed(self, period: int) -> int:
        """How many of a period's frames are computed, its key frame with them."""
        if self.kind == "delta":
            return period
        return 1 if self.every is None else -(-period // self.every)

    @property
    def computes_keys_alone(self) -> bool:
        """Whether the delta graph is never run."""
        return self.kind != "delta" and self.every is None

    @model_validator(mode="after")
    def _fits_together(self) -> "Between":
        if self.kind == "delta" and (self.every, self.decoder) != (None, None):
            raise ValueError('every and decoder go with the kinds "copied" and "moved"')
        if (self.flow is not None) != (self.kind == "moved"):
            raise ValueError('flow goes with the kind "moved", and that needs it')
        return self


DELTA = Between()
