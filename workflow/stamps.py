"""Stamps: an empty file per stage that is up to date, by which DVC tells Snakemake what has to run."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

FOLDER = Path(".pipeline")  # git-ignored
OLD = (1, 1)  # access and modification time of every stamp: equal, so that order never asks for a rerun


def stamp(address: str) -> str:
    """The file that says the stage of this address is up to date."""
    return str(FOLDER / f"{address}.done")


def refresh(root: str, addresses: Iterable[str], *, stale: Collection[str]) -> None:
    """Make every stamp say what DVC says now: there for a stage that is up to date, gone for a stale one."""
    for address in addresses:
        path = Path(root, stamp(address))
        if address in stale:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, OLD)
