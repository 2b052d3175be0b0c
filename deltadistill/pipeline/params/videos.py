"""Videos of your own, their parts, and their truth."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from deltadistill.pipeline.params.label_tables import LabelTable
from deltadistill.pipeline.params.section import Count, Positive, Section, unless_given

FrameRange = Annotated[tuple[Count, Positive], Field(strict=False)]


class FrameRanges(Section):
    """Per split the number of its first frame in the video, from 0, and the number after its last."""

    train: FrameRange
    tune: FrameRange
    test: FrameRange

    @model_validator(mode="after")
    def _no_frame_is_in_two_splits(self) -> "FrameRanges":
        ranges = sorted([self.train, self.tune, self.test])
        if any(first >= end for first, end in ranges):
            raise ValueError(f"{ranges}: each range ends after it begins")
        if any(end > first for (_, end), (first, _) in pairwise(ranges)):
            raise ValueError(f"{ranges} share frames; what is tested on is learned from nowhere")
        return self


class VideoTruth(Section):
    """MOT text of a video, and what is in its boxes."""

    file: str
    name: str


class Video(Section):
    """Video files or folders of frames, without labels but for boxes of the test split.

    frames: of one video, in the place of the two shares. each_shot: the shares are of every shot. where_from:
    what a refusal says where a file is not there.
    """

    paths: Annotated[list[str], Field(min_length=1)]
    label_table: LabelTable
    height: Annotated[int, Field(ge=32)]
    width: Annotated[int, Field(ge=32)]
    train_fraction: Annotated[float, Field(gt=0, lt=1)]
    tune_fraction: Annotated[float, Field(gt=0, lt=1)]
    min_frames: Annotated[int, Field(ge=2)]
    max_frames: Positive | None
    damaged: Literal["stop", "skip"]
    folder_numbers: Literal["frames", "seconds", "milliseconds", "microseconds", "nanoseconds"]
    max_step: Annotated[float, Field(gt=1)] | None
    scene_cut_threshold: Annotated[float, Field(gt=0, le=1)]
    fit: Literal["window", "stretch"] = Field(default="window", exclude_if="window".__eq__)
    frames: FrameRanges | None = Field(default=None, exclude_if=unless_given)
    each_shot: bool = Field(default=False, exclude_if=unless_given)
    truth: VideoTruth | None = Field(default=None, exclude_if=unless_given)
    where_from: str | None = Field(default=None, exclude_if=unless_given)

    @model_validator(mode="after")
    def _numbers_are_of_one_video(self) -> "Video":
        asked = [name for name in ("frames", "truth") if getattr(self, name)]
        if asked and len(self.paths) > 1:
            raise ValueError(f"{' and '.join(asked)}: of one video, and paths lists {len(self.paths)}")
        if self.frames and self.each_shot:
            raise ValueError("frames says which frames are in which split; set each_shot to false")
        return self

    @model_validator(mode="after")
    def _something_is_left_to_test_on(self) -> "Video":
        if self.train_fraction + self.tune_fraction >= 1:
            raise ValueError(
                f"train_fraction {self.train_fraction} + tune_fraction {self.tune_fraction} leaves "
                "nothing to test on; their sum must be below 1"
            )
        return self
