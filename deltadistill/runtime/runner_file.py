"""What a runner's folder holds, as runner.json tells; read with distrust, as folders come from anywhere."""

import hashlib
import math
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from deltadistill.blocks.schedules import Adaptive, FixedPeriod, KeySchedule
from deltadistill.files.strict_json import read_json
from deltadistill.runtime.between import DELTA, Between
from deltadistill.runtime.map_motion import MovedMaps
from deltadistill.runtime.picture_form import PictureForm
from deltadistill.runtime.structure import faults
from deltadistill.runtime.tensor_form import MOST_BYTES, Side, TensorForm

FORMAT = 1
NAME = "runner.json"
LEARNER = "online.json"  # beside it where the runner learns while it runs (exporting/learning_runner.py)
FUNCTIONS = ("frame", "key", "delta")

_REMEDY = "export the network again, or copy the whole folder again"
_MOST_TENSORS = 10_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class GraphFile(_Strict):
    """A graph's file: its name in the folder, and what must be in it."""

    file: Annotated[str, Field(min_length=1, max_length=255)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @field_validator("file")
    @classmethod
    def _lies_in_the_folder(cls, file: str) -> str:
        if PurePosixPath(file).name != file or file in ("", ".", "..") or "\\" in file:
            raise ValueError(f"{file!r} is no plain file name; the graphs lie in the runner's folder itself")
        return file


Frames = Annotated[int, Field(ge=1, le=2**31)]


class AdaptiveSchedule(_Strict):
    """Key frames where the picture has changed by so much since the last one (blocks/schedules.py: Adaptive).

    threshold: in the unit of the runner's frames, grey levels for pictures.
    """

    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)]
    longest: Frames | None = None


class Schedule(_Strict):
    """Which frames are key frames: the first, and every `period`-th after it; 1 is each of them.

    adaptive: decides instead, where it is there; `period` is then what to expect of it, by which an engine is
        chosen.
    """

    period: Frames
    adaptive: AdaptiveSchedule | None = None

    def made(self) -> KeySchedule:
        """A schedule for one stream."""
        if self.adaptive is None:
            return FixedPeriod(self.period)
        return Adaptive(self.adaptive.threshold, longest=self.adaptive.longest)

    @model_serializer(mode="wrap")
    def _what_is_said(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value is not None}


class Pictures(_Strict):
    """PictureForm, as it is written."""

    size: tuple[Side, Side] = Field(strict=False)
    fit: str
    order: str
    scale: float
    mean: tuple[float, float, float] = Field(strict=False)
    deviation: tuple[float, float, float] = Field(strict=False)

    def form(self) -> PictureForm:
        """The same as the form that pictures are prepared with."""
        return PictureForm(**self.model_dump())

    @model_validator(mode="after")
    def _is_a_form(self) -> "Pictures":
        self.form()
        return self


class Description(_Strict):
    """The content of runner.json.

    frame: what every function takes; uint8 (N, H, W, 3) where there are `pictures`, which say how they are
        made, else as the network takes it. outputs, maps: what `key` returns, in this order; `delta` takes
        frame and maps and returns outputs. structure: the form of the outputs (runtime/structure.py).
    between: how frames between key frames are answered (between.py). motion: how maps are moved before a
        delta frame (map_motion.py); None: they stay where they are.
    graphs: the file of each function; of "frame" alone where the others are never run. int8: the same in 8
        bits; packages: compiled for one machine.
    sizes: what axes of any size have in the frames that the graphs were made with, by their names.
    made_by: versions of what wrote the folder.
    """

    format: Literal[1]
    frame: TensorForm
    pictures: Pictures | None
    outputs: Annotated[list[TensorForm], Field(min_length=1, max_length=_MOST_TENSORS)]
    structure: dict[str, Any]
    maps: Annotated[list[TensorForm], Field(max_length=_MOST_TENSORS)]
    schedule: Schedule
    between: Between = DELTA
    motion: MovedMaps | None = None
    graphs: dict[Literal["frame", "key", "delta"], GraphFile]
    int8: dict[Literal["frame", "key", "delta"], GraphFile] = {}
    packages: dict[Literal["frame", "key", "delta"], GraphFile] = {}
    sizes: dict[str, Side] = {}
    made_by: dict[str, str]

    @property
    def has_frame_graphs_alone(self) -> bool:
        """Whether there is the per-frame network alone: every frame that is computed is computed in full."""
        return set(self.graphs) == {"frame"}

    @property
    def computes_every_frame(self) -> bool:
        """Whether every frame is computed, and in full."""
        return self.has_frame_graphs_alone and self.between.kind == "delta"

    @model_validator(mode="after")
    def _fits_together(self) -> "Description":
        names = [tensor.name for tensor in (self.frame, *self.outputs, *self.maps)]
        if len(set(names)) < len(names):
            raise ValueError("frame, outputs and maps must have names of their own")
        for tensor in (self.frame, *self.maps):
            if math.prod(tensor.shape_at(self.sizes)) > MOST_BYTES:
                raise ValueError(f"sizes make {tensor.name!r} of shape {tensor.shape} larger than any memory")
        expected = {"frame"} if self.has_frame_graphs_alone else set(FUNCTIONS)
        for files in (self.graphs, self.int8, self.packages):
            if files and set(files) != expected:
                raise ValueError(f"expected a file for each of {', '.join(FUNCTIONS)}, got {sorted(files)}")
        if self.has_frame_graphs_alone and self.maps:
            raise ValueError(
                "maps are handed from the key graph to the delta graph, and there are no such graphs"
            )
        if self.has_frame_graphs_alone and self.between.every is not None:
            raise ValueError("between: frames are computed by the delta graph, and there is none")
        if problems := faults(self.structure, len(self.outputs)):
            raise ValueError(f"structure: {problems[0]}")
        if self.between.kind == "moved" and (self.pictures is None or self.frame.shape[:1] != [1]):
            raise ValueError(
                'between: "moved" takes pictures, one at a time; frames of shape '
                f"{self.frame.shape} with{'out' if self.pictures is None else ''} pictures are not that"
            )
        if self.motion is not None:
            self.motion.require_movable(self.maps, self.frame, are_pictures=self.pictures is not None)
        if self.pictures is not None and self.frame.shape[1:] != [*self.pictures.size, 3]:
            raise ValueError(
                f"frames of shape {self.frame.shape}, where pictures of size {list(self.pictures.size)} need "
                f"[…, {self.pictures.size[0]}, {self.pictures.size[1]}, 3]"
            )
        return self

    @model_serializer(mode="wrap")
    def _with_motion_where_there_is(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if (name, value) != ("motion", None)}


def read_description(folder: Path, *, whole: bool = True) -> Description:
    """Read runner.json of a folder, and see that its files are there and as they were written.

    whole: if not, the files are not looked at.
    Raises FileNotFoundError for a folder without it, and ValueError with path, fault and remedy for the rest.
    """
    path = folder / NAME
    if not path.is_file():
        there = "a folder without it" if folder.is_dir() else "no such folder"
        raise FileNotFoundError(f"{path} is not there ({there}); expected the folder that dd.export wrote")
    try:
        found = Description.model_validate(read_json(path, remedy=_REMEDY))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise ValueError(f"{path}: {where}: {first['msg']}; {_REMEDY}") from None
    for files in (found.graphs, found.int8, found.packages) if whole else ():
        for name, graph in files.items():
            _require_whole(folder / graph.file, graph, name)
    return found


def _require_whole(path: Path, graph: GraphFile, name: str) -> None:
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"{path}, the graph of {name!r}, is not there as a plain file; {_REMEDY}")
    if (digest := digest_of(path)) != graph.sha256:
        raise ValueError(
            f"{path}, the graph of {name!r}, is not what was written (sha256 {digest[:12]}… in place of "
            f"{graph.sha256[:12]}…); {_REMEDY}"
        )


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
