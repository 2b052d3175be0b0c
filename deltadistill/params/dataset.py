"""The section of the stage prepare_dataset."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deltadistill.params.section import Count, Positive, Section, Share


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


class GeneratedDetection(GeneratedClips):
    """Street clips with boxes, written in the layout of ImageNet VID and DET."""

    stills: Positive
    smallest: Positive
    visible: Share
    class_table: str


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


class PrepareDataset(Section):
    """Stage prepare_dataset."""

    kind: Literal["generated", "cityscapes", "video", "generated_detection", "imagenet_vid", "coco_video"]
    generated: GeneratedClips
    cityscapes: Cityscapes
    video: Video
    generated_detection: GeneratedDetection
    imagenet_vid: ImagenetVid
    coco_video: CocoVideo
