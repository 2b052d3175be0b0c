"""Checkpoints of a running training, so that an interrupted one goes on where it was."""

import io
import logging
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from deltadistill.files import atomic
from deltadistill.files.tensors import read_tensors
from deltadistill.processes.interval import Interval
from deltadistill.processes.work_folders import folder_of

log = logging.getLogger(__name__)


def checkpoint_of(title: str, settings: object, inputs: Iterable[Path], *, minutes: float) -> "Checkpoint":
    """The checkpoint, in .checkpoints/, of the training that settings, inputs and the loaded code decide."""
    return Checkpoint(folder_of(title, settings, inputs), minutes=minutes)


class Checkpoint:
    """The last two checkpoints of one training, the newer one written every `minutes`."""

    def __init__(self, folder: Path, *, minutes: float):
        self._folder = Path(folder)
        self._interval = Interval(minutes)
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

    def beside(self, name: str) -> Path:
        """Where a file lies that an interrupted training needs again; it goes with the checkpoints."""
        return self._folder / name

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
        return self._interval.is_over(ahead=ahead)

    def save(self, state: dict[str, Any]) -> None:
        """Take `state` as it is now and write it in the background, whole or not at all.

        The last checkpoint becomes the one before. What cannot be written is said in a warning: a training
        does not end because a disk is full.
        """
        self.wait()
        self._interval.begin()  # of a failure too: the next try is as far away
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
