"""Data sets that are drawn here: streets, boxes, and classes of pictures."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deltadistill.pipeline.params.section import Count, Name, Positive, Section, Share, unless_given


class _Generated(Section):
    """Clips made by the project itself."""

    train_clips: Positive
    tune_clips: Positive
    test_clips: Positive
    frames: Annotated[int, Field(ge=2)]
    height: Annotated[int, Field(ge=16)]
    width: Annotated[int, Field(ge=16)]
    noise: Annotated[float, Field(ge=0, le=0.5)]
    seed: Count


class GeneratedClips(_Generated):
    """Street clips made by the project itself."""

    height: Annotated[int, Field(ge=32)]
    width: Annotated[int, Field(ge=32)]
    workers: Positive


class GeneratedStream(Section):
    """Videos of minutes, of one description (preparation.street.long_clip).

    frames: at 10 a second. camera, scenes, hold, day: see `long_clip.Course`. videos: so many that differ.
    labelled_every: the last of so many frames has a label.
    """

    camera: Literal["fixed", "walking", "driving"]
    frames: Annotated[int, Field(ge=2, le=1_000_000)]
    split: Literal["train", "test"] = "test"
    videos: Annotated[int, Field(ge=1, le=1000)] = 1
    scenes: Annotated[int, Field(ge=1, le=100)] = 1
    hold: Positive = 300
    day: Count = 0
    labelled_every: Positive = 1

    @model_validator(mode="after")
    def _has_a_label(self) -> "GeneratedStream":
        if self.labelled_every > self.frames:
            raise ValueError(
                f"labelled_every {self.labelled_every} leaves none of {self.frames} frames a label; lower it"
            )
        return self


class GeneratedStreets(GeneratedClips):
    """Street clips, and in the place of those to train on, or to test on, videos of minutes (`streams`)."""

    streams: dict[Name, GeneratedStream] = Field(default_factory=dict, exclude_if=unless_given)


class GeneratedDetection(GeneratedClips):
    """Street clips with boxes, written in the layout of ImageNet VID and DET."""

    stills: Positive
    smallest: Positive
    visible: Share
    class_table: str


class GeneratedClassification(_Generated):
    """Clips of a moving shape, with a class for every frame, written in the layout of ImageNet."""
