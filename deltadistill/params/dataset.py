"""The section of the stage prepare_dataset."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deltadistill.params.section import Count, Positive, Section


class GeneratedClips(Section):
    """Street clips made by the project itself."""

    train_clips: Positive
    tune_clips: Positive
    test_clips: Positive
    frames: Annotated[int, Field(ge=2)]
    height: Annotated[int, Field(ge=32)]
    width: Annotated[int, Field(ge=32)]
    noise: Annotated[float, Field(ge=0, le=0.5)]
    seed: Count
    workers: Positive


class Cityscapes(Section):
    """A folder in the layout of Cityscapes, read in place."""

    root: str
    label_table: Literal["cityscapes_19", "street_8"]
    train: Annotated[list[str], Field(min_length=1)]
    tune: list[str]
    tune_every: Annotated[int, Field(ge=2)]
    test: Annotated[list[str], Field(min_length=1)]
    frames_per_snippet: Positive
    labelled_frame: Count | None

    @model_validator(mode="after")
    def _label_lies_in_the_snippet(self) -> "Cityscapes":
        if self.labelled_frame is not None and self.labelled_frame >= self.frames_per_snippet:
            raise ValueError(
                f"labelled_frame {self.labelled_frame} lies outside a snippet of "
                f"{self.frames_per_snippet} frames (0 … {self.frames_per_snippet - 1} allowed)"
            )
        return self


class Video(Section):
    """Unlabelled video files or folders of frames."""

    paths: Annotated[list[str], Field(min_length=1)]
    label_table: Literal["cityscapes_19", "street_8"]
    height: Annotated[int, Field(ge=32)]
    width: Annotated[int, Field(ge=32)]
    train_fraction: Annotated[float, Field(gt=0, lt=1)]
    tune_fraction: Annotated[float, Field(gt=0, lt=1)]
    min_frames: Annotated[int, Field(ge=2)]
    max_frames: Positive | None
    scene_cut_threshold: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _something_is_left_to_test_on(self) -> "Video":
        if self.train_fraction + self.tune_fraction >= 1:
            raise ValueError(
                f"train_fraction {self.train_fraction} + tune_fraction {self.tune_fraction} leaves "
                "nothing to test on; their sum must be below 1"
            )
        return self


class PrepareDataset(Section):
    """Stage prepare_dataset."""

    kind: Literal["generated", "cityscapes", "video"]
    generated: GeneratedClips
    cityscapes: Cityscapes
    video: Video
