"""Runners that learn while they run: the per-frame network in an engine, and a small student in PyTorch.

Such a folder is that of the per-frame network, and beside it who learns, and how (`online.stream`).
"""

import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deltadistill.exporting.pictures import as_frames
from deltadistill.files import atomic
from deltadistill.files.strict_json import read_json
from deltadistill.files.tensors import read_tensors
from deltadistill.online.label_stream import LabelStream, LabelStudent
from deltadistill.online.settings import Settings
from deltadistill.runtime.runner import Decode, Runner
from deltadistill.runtime.runner_file import LEARNER, GraphFile, digest_of
from deltadistill.video.decoders import by_form

STUDENT = "student.pt"
_REMEDY = "run deltadistill accelerate again, or copy the whole folder again"
_MOST_CLASSES = 255  # labels of 8 bits

Side = Annotated[int, Field(ge=1, le=2**16)]


class Learner(BaseModel):
    """The content of online.json.

    student: the file of its weights. classes, width, scale: of JITNet. size: of the label maps, (height,
    width). settings: of `online.settings.Settings`, what is not the default.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    format: Literal[1]
    student: GraphFile
    classes: Annotated[int, Field(ge=2, le=_MOST_CLASSES)]
    width: Annotated[float, Field(gt=0, le=8)] = 1.0
    scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    size: tuple[Side, Side] = Field(strict=False)
    settings: dict[str, bool | int | float | str | None] = {}

    def made(self) -> LabelStudent:
        """The student, with random weights."""
        return LabelStudent(self.classes, self.size, width=self.width, scale=self.scale)


class LearningRunner:
    """Runs a folder of `write_learner`: called as a `Runner`, whose per-frame network labels some frames.

    Its key frames are the labelled ones; when they come the stride rule says (online/stride.py), and
    `refresh`. Answers are label maps. engine, threads, precision, device: of the per-frame network; the
    student has as many threads of PyTorch. decode: makes labels of the network's outputs.
    Raises what `Runner` raises, and ValueError for a folder in which nobody learns, or whose student's files
    are not as they were written.
    """

    decodes = True

    def __init__(self, folder: str | Path, *, decode: Decode | None = None, **options: Any):
        folder = Path(folder).expanduser()
        learner = read_learner(folder)
        self._plain = Runner(folder, period=1, **options)
        self._student, self._settings = _student(folder, learner), _settings(folder, learner)
        self._decode, self._threads = decode or by_form, options.get("threads")
        self._begin()

    def _begin(self) -> None:
        pictures = self._plain.description.pictures
        assert pictures is not None  # write_learner asks for them
        form = pictures.form()
        self._stream = LabelStream(
            self._student,
            self._labels,
            lambda given: as_frames(given, form),
            self._settings,
            threads=self._threads,
        )
        self.is_key_frame = True

    def _labels(self, picture: np.ndarray) -> np.ndarray:
        return self._decode(self._plain(picture))["label_map"]

    def __getattr__(self, name: str) -> Any:
        """What a runner says of itself; the per-frame network's here."""
        if name not in ("description", "choice", "session"):
            raise AttributeError(name)
        return getattr(self._plain, name)

    def __call__(self, frame: np.ndarray) -> Mapping[str, np.ndarray]:
        """The label map of the next frame uint8 (1, h, w, 3)."""
        answer = self._stream(frame)
        self.is_key_frame = self._stream.was_labelled
        return answer

    def refresh(self) -> None:
        """Have the next frame labelled; what was learned stays."""
        self._stream.ask_now()

    def reset(self) -> None:
        """Forget what was learned; the next frame is labelled."""
        self._stream.reset()

    def another(self) -> "LearningRunner":
        """A runner for another video, with a student of its own, which shares the per-frame network."""
        twin = object.__new__(LearningRunner)
        twin._plain, twin._student, twin._settings = self._plain.another(), self._student, self._settings
        twin._decode, twin._threads = self._decode, self._threads
        twin._begin()
        return twin


def write_learner(folder: Path, student: LabelStudent, settings: Settings) -> None:
    """Have the runner of a per-frame network, which is in a folder, learn while it runs.

    Raises ValueError for a runner that does not take pictures.
    """
    content = io.BytesIO()
    torch.save(student.state_dict(), content)
    with atomic.file(folder / STUDENT) as unfinished:
        atomic.write_bytes(unfinished, content.getbuffer())
    default = asdict(Settings())
    learner = Learner(
        format=1,
        student=GraphFile(file=STUDENT, sha256=digest_of(folder / STUDENT)),
        classes=student.classes,
        width=student.width,
        scale=student.scale,
        size=student.size,
        settings={name: value for name, value in asdict(settings).items() if value != default[name]},
    )
    with atomic.file(folder / LEARNER) as unfinished:
        unfinished.write_text(learner.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_learner(folder: Path) -> Learner:
    """Read online.json of a folder; ValueError with path, fault and remedy."""
    path = folder / LEARNER
    if not path.is_file():
        raise ValueError(f"{path} is not there: in this runner nobody learns; open it by dd.Runner")
    try:
        return Learner.model_validate(read_json(path, remedy=_REMEDY))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise ValueError(f"{path}: {where}: {first['msg']}; {_REMEDY}") from None


def _student(folder: Path, learner: Learner) -> LabelStudent:
    path, student = folder / learner.student.file, learner.made()
    if not path.is_file() or digest_of(path) != learner.student.sha256:
        raise ValueError(f"{path}, the student's weights, is not what was written; {_REMEDY}")
    try:
        student.load_state_dict(read_tensors(path, checksums=True))
    except (ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no weights of the student: {error}; {_REMEDY}") from None
    return student.eval()


def _settings(folder: Path, learner: Learner) -> Settings:
    try:
        return Settings(**learner.settings)  # type: ignore[arg-type]  # from a file: its errors are told
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / LEARNER}: settings: {error}; {_REMEDY}") from None
