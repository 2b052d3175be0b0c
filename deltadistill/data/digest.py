"""One digest of all the files of a data set, so that a later stage that depends on it sees any change."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def content_digest(places: Iterable[Path], folder: Path) -> str:
    """sha256 over the files, in order of their paths, each once.

    Files inside `folder` count by relative path and bytes; files elsewhere, which may be many gigabytes, by
    absolute path and size. ValueError for a file that is not there any more.
    """
    digest = hashlib.sha256()
    for place in sorted({place.absolute() for place in places}):
        inside = place.is_relative_to(folder)
        name = (place.relative_to(folder) if inside else place).as_posix()
        try:
            content = place.read_bytes() if inside else str(place.stat().st_size).encode()
        except OSError as error:
            raise ValueError(f"{place} cannot be read: {error.strerror}; was it taken away?") from error
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
