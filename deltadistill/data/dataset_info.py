"""What the frames of a data set have in common: dataset.json beside the manifest."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from deltadistill.data.label_table import IGNORE, ClassEntry
from deltadistill.files.limits import MOST_PIXELS
from deltadistill.files.strict_json import read_json

FILE_NAME = "dataset.json"
KINDS_OF_BOXES = ("generated_detection", "imagenet_vid", "coco_video")
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
    """

    kind: str
    size: tuple[int, int]
    classes: tuple[ClassEntry, ...]
    flow: str | None = None
    source: str = ""
    fit: str | None = None
    videos: tuple[VideoInfo, ...] = ()

    def __post_init__(self):
        if self.fit not in (None, "letterbox"):
            raise ValueError(f"fit is {self.fit!r}; expected None or 'letterbox'")

    @property
    def task(self) -> Literal["segmentation", "detection"]:
        """What the data set is annotated for."""
        return "detection" if self.kind in KINDS_OF_BOXES else "segmentation"


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
    classes: Annotated[tuple[_Class, ...], Field(max_length=IGNORE)]
    flow: Literal["exact"] | None
    source: str
    fit: Literal["letterbox"] | None = None
    elsewhere: tuple[str, ...] = ()
    videos: tuple[_Video, ...] = ()

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
    info = DatasetInfo(facts.kind, facts.size, classes, facts.flow, facts.source, facts.fit, videos)
    return info, tuple(Path(place) for place in facts.elsewhere)
