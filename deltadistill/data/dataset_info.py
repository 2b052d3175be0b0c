"""What the frames of a data set have in common: dataset.json beside the manifest."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from deltadistill.data.label_table import IGNORE, ClassEntry
from deltadistill.files.limits import MOST_PIXELS
from deltadistill.files.strict_json import read_json

FILE_NAME = "dataset.json"
KINDS_OF_BOXES = ("generated_detection", "imagenet_vid", "coco_video")
KINDS_OF_CLASSES = (
    *("generated_classification", "imagefolder", "generated_objects"),
    *("stl10", "fashion_mnist", "cifar10", "celeba"),
)
_TASK_OF_KIND = dict.fromkeys(KINDS_OF_BOXES, "detection") | dict.fromkeys(KINDS_OF_CLASSES, "classification")
Annotation = Literal["label_maps", "boxes", "targets"]
_ANNOTATION_OF_TASK: dict[str, Annotation] = {"segmentation": "label_maps", "detection": "boxes"}
_MOST_CLASSES = 65_536  # of which frames are; label maps tell fewer apart
_REMEDY = "run the stage prepare_dataset again"


@dataclass(frozen=True)
class VideoInfo:
    """A video that frames were taken from: the name that its clips begin with, and where it lay.

    `frames_per_second` is 1 / the median step, None without times; `damaged` counts the frames that were
    left out for damage; `notes` say, in words, what there is to know of how it was read.
    """

    name: str
    path: str
    frames_per_second: float | None = None
    damaged: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetInfo:
    """What holds for all frames: `size` is (height, width) in pixels, `flow` is "exact" or None.

    `fit` "letterbox": pictures are of any size and are fitted into `size` when they are read (letterbox.py);
    None: all are of that size. `videos`: where the frames come from, for kind video.
    `named_task` is what it is annotated for (tasks.registry), None: what its kind says; `named_annotation`
    how (data.annotations), None: as its task has it, and targets for a task of one's own.
    """

    kind: str
    size: tuple[int, int]
    classes: tuple[ClassEntry, ...]
    flow: str | None = None
    source: str = ""
    fit: str | None = None
    videos: tuple[VideoInfo, ...] = ()
    named_task: str | None = None
    named_annotation: Annotation | None = None

    def __post_init__(self):
        if self.fit not in (None, "letterbox"):
            raise ValueError(f"fit is {self.fit!r}; expected None or 'letterbox'")
        if self.named_annotation not in (None, *get_args(Annotation)):
            raise ValueError(
                f"annotation is {self.named_annotation!r}; expected {', '.join(get_args(Annotation))}"
            )

    @property
    def task(self) -> str:
        """What the data set is annotated for, a name as in tasks.registry."""
        return self.named_task or task_of_kind(self.kind)

    @property
    def annotation(self) -> Annotation:
        """How it is annotated: what a frame has for it."""
        return self.named_annotation or _ANNOTATION_OF_TASK.get(self.task, "targets")


def task_of_kind(kind: str) -> str:
    """What data sets of a kind are annotated for, where their description does not say."""
    return _TASK_OF_KIND.get(kind, "segmentation")


Side = Annotated[int, Field(ge=1, strict=True)]
Byte = Annotated[int, Field(ge=0, le=255, strict=True)]


class _Class(BaseModel):
    name: str
    color: tuple[Byte, Byte, Byte]
    label_ids: tuple[Byte, ...]


class _Video(BaseModel):
    name: str
    path: str
    frames_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    damaged: Annotated[int, Field(ge=0, strict=True)]
    notes: tuple[str, ...]


class _Facts(BaseModel):
    """dataset.json as far as it is read; what else it holds is for people."""

    model_config = ConfigDict(extra="ignore")

    kind: str
    size: tuple[Side, Side]
    task: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$", max_length=200)] | None = None
    annotation: Annotation | None = None
    classes: tuple[_Class, ...]
    flow: Literal["exact"] | None
    source: str
    fit: Literal["letterbox"] | None = None
    elsewhere: tuple[str, ...] = ()
    videos: tuple[_Video, ...] = ()

    @field_validator("classes")
    @classmethod
    def _not_too_many(cls, classes: tuple[_Class, ...], info: ValidationInfo) -> tuple[_Class, ...]:
        known = DatasetInfo(
            info.data.get("kind", ""),
            (1, 1),
            (),
            named_task=info.data.get("task"),
            named_annotation=info.data.get("annotation"),
        )
        most = _MOST_CLASSES if known.annotation == "targets" else IGNORE
        if len(classes) > most:
            raise ValueError(f"there are {len(classes)} classes; expected at most {most}")
        return classes

    @field_validator("size")
    @classmethod
    def _not_too_large(cls, size: tuple[int, int]) -> tuple[int, int]:
        if size[0] * size[1] > MOST_PIXELS:
            raise ValueError(f"more than {MOST_PIXELS} pixels")
        return size


def info_to_json(info: DatasetInfo, counts: dict[str, Any], elsewhere: tuple[Path, ...]) -> dict[str, Any]:
    """The content of dataset.json but for the digest of the files.

    elsewhere: folders outside the manifest's own in which files lie.
    """
    classes = [{"name": c.name, "color": [*c.color], "label_ids": [*c.label_ids]} for c in info.classes]
    facts = {
        "kind": info.kind,
        "size": [*info.size],
        "classes": classes,
        "ignore_id": IGNORE,
        **counts,
        "flow": info.flow,
        "source": info.source,
    }
    facts |= {"task": info.named_task} if info.named_task else {}
    facts |= {"annotation": info.named_annotation} if info.named_annotation else {}
    facts |= {"fit": info.fit} if info.fit else {}
    facts |= {"videos": [asdict(video) for video in info.videos]} if info.videos else {}
    return facts | ({"elsewhere": [str(place) for place in elsewhere]} if elsewhere else {})


def read_info(folder: Path) -> tuple[DatasetInfo, tuple[Path, ...]]:
    """Read dataset.json in `folder`: the common facts, and the folders elsewhere in which files may lie."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise ValueError(f"no {FILE_NAME} beside the manifest in {folder}; {_REMEDY}")
    content = read_json(path, remedy=_REMEDY)
    try:
        facts = _Facts.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "all of it"
        raise ValueError(f"{path} is damaged ({place}: {fault['msg']}); {_REMEDY}") from error
    classes = tuple(ClassEntry(c.name, c.color, c.label_ids) for c in facts.classes)
    videos = tuple(VideoInfo(**video.model_dump()) for video in facts.videos)
    info = DatasetInfo(
        facts.kind,
        facts.size,
        classes,
        facts.flow,
        facts.source,
        facts.fit,
        videos,
        named_task=facts.task,
        named_annotation=facts.annotation,
    )
    return info, tuple(Path(place) for place in facts.elsewhere)
