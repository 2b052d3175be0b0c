"""Checkpoints of a running training, so that an interrupted one goes on where it was.

They live outside DVC, in a folder named by a hash of everything that decides the training's result: DVC
deletes a stage's outputs before it runs, and a checkpoint of other parameters must never be resumed.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from deltadistill import atomic

FOLDER = Path(".checkpoints")

log = logging.getLogger(__name__)


def training_key(settings: object, inputs: Iterable[Path]) -> str:
    """Hash of plain settings and of the content of the input files, 16 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in inputs:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def checkpoint_of(title: str, settings: object, inputs: Iterable[Path], *, minutes: float) -> "Checkpoint":
    """The checkpoint of the training that settings and inputs decide, in .checkpoints/."""
    return Checkpoint(FOLDER / f"{title}-{training_key(settings, inputs)}", minutes=minutes)


class Checkpoint:
    """The last checkpoint of one training, written every `minutes`."""

    def __init__(self, folder: Path, *, minutes: float):
        self._folder = Path(folder)
        self._minutes = minutes
        self._written = time.monotonic()

    @property
    def path(self) -> Path:
        """Where the checkpoint is."""
        return self._folder / "last.pt"

    def load(self) -> dict[str, Any] | None:
        """Return the last checkpoint, or None where there is none to go on from.

        A file that cannot be read is named in a warning and left aside.
        """
        if not self.path.is_file():
            return None
        try:
            return torch.load(self.path, weights_only=True)
        except Exception as error:  # torch.load raises what its archive and pickle readers raise
            log.warning("checkpoint %s cannot be read (%s); starting from the beginning", self.path, error)
            return None

    def is_due(self) -> bool:
        """Whether `minutes` have passed since the last one."""
        return time.monotonic() - self._written > 60 * self._minutes

    def save(self, state: dict[str, Any]) -> None:
        """Write `state`, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic.file(self.path) as path:
            torch.save(state, path)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Delete the checkpoint of a training that is complete."""
        shutil.rmtree(self._folder, ignore_errors=True)
