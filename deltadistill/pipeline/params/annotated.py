"""Data sets of video with annotations, in the layouts in which they are published."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deltadistill.pipeline.params.label_tables import LabelTable
from deltadistill.pipeline.params.section import Count, Positive, Section


class Cityscapes(Section):
    """A folder in the layout of Cityscapes, read in place."""

    root: str
    label_table: LabelTable
    train: Annotated[list[str], Field(min_length=1)]
    tune: list[str]
    tune_every: Annotated[int, Field(ge=2)]
    test: Annotated[list[str], Field(min_length=1)]
    coarse: list[str]
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


class ImagenetVid(Section):
    """ImageNet VID and DET, or a data set in their layout, read in place."""

    root: str
    class_table: str
    train: Annotated[list[str], Field(min_length=1)]
    tune: list[str]
    tune_every: Annotated[int, Field(ge=2)]
    test: Annotated[list[str], Field(min_length=1)]
    stills: list[str]
    height: Annotated[int, Field(ge=32)]
    width: Annotated[int, Field(ge=32)]
    outside: Literal["refuse", "clip"]
    workers: Positive


class CocoAnnotations(Section):
    """One file of COCO-style video JSON, and the folder that its file names start from."""

    annotations: str
    images: str


class CocoVideo(Section):
    """COCO-style video JSON; pictures are read in place."""

    train: Annotated[list[CocoAnnotations], Field(min_length=1)]
    tune: list[CocoAnnotations]
    tune_every: Annotated[int, Field(ge=2)]
    test: Annotated[list[CocoAnnotations], Field(min_length=1)]
    height: Annotated[int, Field(ge=32)]
    width: Annotated[int, Field(ge=32)]
    outside: Literal["refuse", "clip"]


class MaskFolders(Section):
    """A folder of clips, and the one with their label images."""

    frames: str
    labels: str


class Masks(Section):
    """Frames and label images of one's own, read in place."""

    train: Annotated[list[MaskFolders], Field(min_length=1)]
    tune: list[MaskFolders]
    tune_every: Annotated[int, Field(ge=2)]
    test: Annotated[list[MaskFolders], Field(min_length=1)]
    label_table: LabelTable
    ignore: list[Annotated[int, Field(ge=0, le=255)]]
    every_frame: bool
    workers: Positive


class Davis(Section):
    """A folder in the layout of DAVIS 2016, read in place (preparation.davis)."""

    root: str
    train: Annotated[list[str], Field(min_length=1)]
    test: Annotated[list[str], Field(min_length=1)]
    tune: list[str] = Field(default_factory=list)
    tune_every: Annotated[int, Field(ge=2)] = 9
    resolution: str = "480p"
    lists: str = "480p"
    workers: Positive = 2
