"""The section of the stage prepare_dataset."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from deltadistill.pipeline.params.section import Count, Positive, Section, Share

Kind = Literal[
    "generated",
    "cityscapes",
    "video",
    "masks",
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


class Video(Section):
    """Unlabelled video files or folders of frames."""

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
    generated: GeneratedClips
    cityscapes: Cityscapes
    video: Video
    masks: Masks
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
