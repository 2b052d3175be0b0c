"""Checkpoints of a running training, so that an interrupted one goes on where it was.

They live outside DVC, in a folder named by a hash of everything that decides the training's result: DVC
deletes a stage's outputs before it runs, and a checkpoint of other parameters must never be resumed.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from deltadistill import atomic
from deltadistill.reading.tensors import read_tensors

FOLDER = Path(".checkpoints")
_LIBRARY = Path(__file__).parents[1]

log = logging.getLogger(__name__)


def training_key(settings: object, inputs: Iterable[Path]) -> str:
    """Hash of plain settings and of the content of the input files, 16 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in inputs:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def checkpoint_of(title: str, settings: object, inputs: Iterable[Path], *, minutes: float) -> "Checkpoint":
    """The checkpoint, in .checkpoints/, of the training that settings, inputs and the loaded code decide."""
    return Checkpoint(folder_of(title, settings, inputs), minutes=minutes)


def folder_of(title: str, settings: object, inputs: Iterable[Path]) -> Path:
    """The folder in .checkpoints/ for unfinished work that settings, inputs and the loaded code decide.

    Says so where only work of the same title, but of other settings, inputs or code is there.
    """
    folder = FOLDER / f"{title}-{training_key(settings, [*inputs, *loaded_code()])}"
    others = [other.name for other in FOLDER.glob(f"{title}-{'?' * 16}") if other != folder]
    if others and not folder.exists():
        log.warning(
            "%s: checkpoints of other parameters, inputs or code are not used: %s; delete them if nothing "
            "goes back to them",
            FOLDER,
            ", ".join(sorted(others)),
        )
    return folder


def loaded_code() -> list[Path]:
    """Source files of the library's modules, and of networks/, that this process has loaded, sorted."""
    homes = (_LIBRARY, Path("networks").resolve())
    files = (Path(f).resolve() for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None)))
    return sorted({file for file in files if any(home in file.parents for home in homes) and file.is_file()})


class Checkpoint:
    """The last two checkpoints of one training, the newer one written every `minutes`."""

    def __init__(self, folder: Path, *, minutes: float):
        self._folder = Path(folder)
        self._minutes = minutes
        self._written = time.monotonic()
        # Writing waits for the disk, seconds for a large network; the training goes on meanwhile.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    @property
    def path(self) -> Path:
        """Where the last checkpoint is."""
        return self._folder / "last.pt"

    @property
    def previous(self) -> Path:
        """Where the one before is."""
        return self._folder / "previous.pt"

    def load(self) -> dict[str, Any] | None:
        """Return the last checkpoint that is whole, or None where there is none to go on from.

        A file that cannot be read is named in a warning, with what is done instead.
        """
        self.wait()
        for path, instead in (
            (self.path, f"going on from {self.previous.name}"),
            (self.previous, "starting from the beginning"),
        ):
            if not path.is_file():
                continue
            try:
                return read_tensors(path, checksums=True)
            except (OSError, ValueError) as error:
                if path == self.path and not self.previous.is_file():
                    instead = "starting from the beginning"
                log.warning("checkpoint %s cannot be read (%s); %s", path, error, instead)
        return None

    def is_due(self, *, ahead: float = 0.0) -> bool:
        """Whether `minutes` have passed since the last one, or will have in `ahead` seconds."""
        return time.monotonic() + ahead - self._written > 60 * self._minutes

    def save(self, state: dict[str, Any]) -> None:
        """Take `state` as it is now and write it in the background, whole or not at all.

        The last checkpoint becomes the one before. What cannot be written is said in a warning: a training
        does not end because a disk is full.
        """
        self.wait()
        self._written = time.monotonic()  # of a failure too: the next try is as far away
        content = io.BytesIO()
        torch.save(state, content)
        self._writing = self._writer.submit(self._write, content)

    def wait(self) -> None:
        """Wait until what `save` took is on the disk, or known not to be."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def kept(self) -> Path | None:
        """The newest checkpoint that is there."""
        self.wait()
        return next((path for path in (self.path, self.previous) if path.is_file()), None)

    def remove(self) -> None:
        """Delete the checkpoints of a training that is complete."""
        self.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, content: io.BytesIO) -> None:
        try:
            with atomic.file(self.path) as path:
                atomic.write_bytes(path, content.getbuffer())
                if self.path.is_file():
                    os.replace(self.path, self.previous)
        except OSError as error:
            log.warning("no new checkpoint, but the training goes on: %s", error)
