"""Folders for unfinished work: checkpoints, labels that were made, counts of an evaluation.

They live outside DVC, in a folder named by a hash of everything that decides the result: DVC deletes a
stage's outputs before it runs, and what was begun with other parameters must never be resumed.
"""

import hashlib
import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(".checkpoints")
_LIBRARY = Path(__file__).parents[1]

log = logging.getLogger(__name__)


def work_key(settings: object, inputs: Iterable[Path]) -> str:
    """Hash of plain settings and of the content of the input files, 16 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in inputs:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def folder_of(title: str, settings: object, inputs: Iterable[Path]) -> Path:
    """The folder in .checkpoints/ for unfinished work that settings, inputs and the loaded code decide.

    Says so where only work of the same title, but of other settings, inputs or code is there.
    """
    folder = FOLDER / f"{title}-{work_key(settings, [*inputs, *loaded_code()])}"
    others = [other.name for other in FOLDER.glob(f"{title}-{'?' * 16}") if other != folder]
    if others and not folder.exists():
        log.warning(
            "%s: unfinished work of other parameters, inputs or code is not used: %s; delete it if nothing "
            "goes back to it",
            FOLDER,
            ", ".join(sorted(others)),
        )
    return folder


def loaded_code() -> list[Path]:
    """Source files of the library, networks/ and extensions/code/ that this process has loaded, sorted."""
    homes = (_LIBRARY, Path("networks").resolve(), Path("extensions/code").resolve())
    files = (Path(f).resolve() for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None)))
    return sorted({file for file in files if any(home in file.parents for home in homes) and file.is_file()})
