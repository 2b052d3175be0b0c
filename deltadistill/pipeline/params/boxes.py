"""The section that says how boxes are chosen, for data sets that have boxes."""

from typing import Annotated

from pydantic import Field, model_validator

from deltadistill.pipeline.params.section import Positive, Section, Share


class Boxes(Section):
    """How a detector's scored boxes become detections."""

    min_score: Share
    max_iou: Annotated[float, Field(gt=0, lt=1)]
    candidates: Positive
    max_detections: Positive
    shown_score: Share

    @model_validator(mode="after")
    def _what_is_shown_is_there(self) -> "Boxes":
        if self.shown_score < self.min_score:
            raise ValueError(
                f"shown_score {self.shown_score} lies below min_score {self.min_score}; boxes in between are "
                "not kept"
            )
        return self
