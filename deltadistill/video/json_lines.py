"""Results of a video as JSON lines: an object a frame, with its place and seconds, written as it comes."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class JsonLines:
    """A file of lines; each is there as soon as it is written, so that others can follow it."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("w", encoding="utf-8", buffering=1)

    def write(self, number: int, seconds: float | None, found: Mapping[str, Any]) -> None:
        """Add what was found in frame `number`, shown from `seconds` on."""
        place = {"frame": number, "seconds": None if seconds is None else round(seconds, 6)}
        with self._named():
            self._file.write(json.dumps({**place, **found}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Finish the file."""
        with self._named():
            self._file.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Let an error of writing say which file it is about."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
