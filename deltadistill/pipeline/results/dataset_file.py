"""dataset.json: what a data set is, as prepare_dataset leaves it; and labels.json of label_frames."""

from pydantic.dataclasses import dataclass

from deltadistill.pipeline.params.dataset import Kind
from deltadistill.pipeline.results.fields import Byte, Count, Share, Size


@dataclass(frozen=True)
class ClassInfo:
    """One class: its name and its colour in pictures (RGB, 0 to 255)."""

    name: str
    color: tuple[Byte, Byte, Byte]


@dataclass(frozen=True)
class VideoInfo:
    """A video that frames were taken from; ``notes`` say what was left out of it and which stream it was."""

    name: str
    damaged: Count = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetInfo:
    """What the report reads of dataset.json, which is written with the manifest; ``size``: height, width."""

    kind: Kind
    size: tuple[Size, Size]
    classes: tuple[ClassInfo, ...]
    frames: dict[str, Count]
    clips: dict[str, Count]
    flow: str | None = None
    videos: tuple[VideoInfo, ...] = ()


@dataclass(frozen=True)
class PseudoLabels:
    """labels.json: how many frames were labelled, and each class's share of their pixels."""

    pseudo_labels: Count
    shares: dict[str, Share]
