"""The section of the stage prepare_dataset."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from deltadistill.pipeline.params.section import Count, Name, Positive, Section, Share, unless_given

Kind = Literal[
    "generated",
    "cityscapes",
    "video",
    "masks",
    "davis",
    "generated_detection",
    "imagenet_vid",
    "coco_video",
    "generated_classification",
    "imagefolder",
    "generated_objects",
    "stl10",
    "fashion_mnist",
]
LABEL_TABLES = ("cityscapes_19", "street_8")


def _is_a_label_table(name: str) -> str:
    if name not in LABEL_TABLES and not name.endswith(".csv"):
        raise ValueError(
            f"expected {' or '.join(LABEL_TABLES)}, or the path of a CSV file as in class_tables/"
        )
    return name


LabelTable = Annotated[str, AfterValidator(_is_a_label_table)]


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


class GeneratedClassification(_Generated):
    """Clips of a moving shape, with a class for every frame, written in the layout of ImageNet."""


class ImageFolder(Section):
    """Folders of classes, with pictures or clips of frames in each, read in place."""

    root: str
    train: Annotated[list[str], Field(min_length=1)]
    tune: list[str]
    tune_every: Annotated[int, Field(ge=2)]
    test: Annotated[list[str], Field(min_length=1)]
    height: Annotated[int, Field(ge=16)]
    width: Annotated[int, Field(ge=16)]


class _Stills(Section):
    """Pictures with a class each, in files of a known layout."""

    tune_every: Annotated[int, Field(ge=2)]
    height: Annotated[int, Field(ge=16)]
    width: Annotated[int, Field(ge=16)]


class GeneratedObjects(_Stills):
    """Pictures of things of generated streets, written in the layout of STL-10."""

    train_pictures: Annotated[int, Field(ge=2)]
    test_pictures: Positive
    noise: Annotated[float, Field(ge=0, le=0.5)]
    seed: Count
    workers: Positive


class Stl10(_Stills):
    """STL-10's binary files."""

    root: str


class FashionMnist(_Stills):
    """Fashion-MNIST's idx files."""

    root: str


class PrepareDataset(Section):
    """Stage prepare_dataset."""

    kind: Kind
    generated: GeneratedStreets
    cityscapes: Cityscapes
    video: Video
    masks: Masks
    davis: Davis | None = Field(default=None, exclude_if=unless_given)
    generated_detection: GeneratedDetection
    imagenet_vid: ImagenetVid
    coco_video: CocoVideo
    generated_classification: GeneratedClassification | None = None
    imagefolder: ImageFolder | None = None
    generated_objects: GeneratedObjects | None = None
    stl10: Stl10 | None = None
    fashion_mnist: FashionMnist | None = None

    @model_validator(mode="after")
    def _the_kind_is_described(self) -> "PrepareDataset":
        if getattr(self, self.kind) is None:
            raise ValueError(f"kind is {self.kind}, but there is no section {self.kind} that describes it")
        return self
