"""What an evaluation has counted, kept part by part, so that an interrupted one counts only what is left."""

import io
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from deltadistill.files import atomic
from deltadistill.files.tensors import read_tensors
from deltadistill.processes.interval import Interval
from deltadistill.processes.work_folders import folder_of

log = logging.getLogger(__name__)


def parts_of(title: str, settings: object, inputs: Iterable[Path], *, minutes: float) -> "Parts":
    """The parts, in .checkpoints/, of the evaluation that settings, inputs and the loaded code decide."""
    return Parts(folder_of(title, settings, inputs), minutes=minutes)


class Parts:
    """Files of a folder, a new one every `minutes`; each names the batches that it counts.

    No batch is counted in two of them: whoever goes on leaves out what the parts name.
    """

    def __init__(self, folder: Path, *, minutes: float):
        self._folder = Path(folder)
        self._interval = Interval(minutes)

    def load(self) -> Iterator[Mapping[str, Any]]:
        """Yield what every `save` took: "batches", their numbers, and "counted".

        A part that cannot be read is named in a warning, and deleted, since its batches are counted anew.
        """
        for path in sorted(self._folder.glob("batch*.pt")):
            try:
                yield read_tensors(path, checksums=True)
            except (OSError, ValueError) as error:
                log.warning("%s cannot be read (%s); what it counted is counted again", path, error)
                path.unlink()

    def is_due(self) -> bool:
        """Whether `minutes` have passed since the last part, or the beginning."""
        return self._interval.is_over()

    def save(self, batches: Sequence[int], counted: Any) -> None:
        """Write a part, whole or not at all: the numbers of its batches, and tensors and plain values.

        What cannot be written is said in a warning: an evaluation does not end because a disk is full.
        """
        self._interval.begin()  # of a failure too: the next try is as far away
        content = io.BytesIO()
        torch.save({"batches": list(batches), "counted": counted}, content)
        try:
            with atomic.file(self._folder / f"batch{min(batches):06d}.pt") as path:
                atomic.write_bytes(path, content.getbuffer())
        except OSError as error:
            log.warning("the evaluation goes on, but what it counted so far is not kept: %s", error)

    def remove(self) -> None:
        """Delete the parts of an evaluation that is complete."""
        shutil.rmtree(self._folder, ignore_errors=True)
