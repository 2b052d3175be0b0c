"""One digest of all the files of a data set, so that a later stage that depends on it sees any change."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def content_digest(places: Iterable[Path], folder: Path) -> str:
    """sha256 over the files, in order of their paths, each once.

    Files inside `folder` count by relative path and bytes; files elsewhere, which may be many gigabytes, by
    absolute path and size.
    """
    digest = hashlib.sha256()
    for place in sorted({place.absolute() for place in places}):
        if place.is_relative_to(folder):
            content = place.read_bytes()
            name = place.relative_to(folder).as_posix()
        else:
            content = str(place.stat().st_size).encode()
            name = place.as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
