"""A file system of its own for a test: small, so that it is soon full, or made read-only."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 512 * 1024  # bytes


class Disk:
    """A tmpfs of SIZE bytes at `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder

    def fill(self, *, but: int) -> None:
        """Leave room for `but` bytes, in whole pages."""
        free = os.statvfs(self.folder)
        (self.folder / "filling").write_bytes(bytes(free.f_bavail * free.f_frsize - but))

    def make_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)

    def files(self) -> dict[str, bytes]:
        """What lies on it, but for what fills it."""
        files = (path for path in self.folder.rglob("*") if path.is_file() and path.name != "filling")
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "deltadistill-test", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command to make a small file system with")
    if mounted.returncode:
        pytest.skip(f"a small file system can only be mounted as root: {mounted.stderr.strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
