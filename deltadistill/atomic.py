"""Files and folders that appear whole or not at all: written beside, synced, then renamed into place."""

import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

_SYNC_THREADS = 8


@contextmanager
def file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path beside `path` to write to; when the block ends without an error it becomes `path`.

    The temporary name keeps the suffix, which many writers look at. Missing parent folders are made. After an
    error nothing is left behind and an existing `path` is untouched.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(target)
    try:
        yield beside
        _sync(beside)
        os.replace(beside, target)
        _sync(target.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; when the block ends without an error it becomes `path`.

    A folder that was there is replaced as a whole: files of an earlier run never mix with those of this one.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(target)
    beside.mkdir()
    try:
        yield beside
        _sync_tree(beside)
        _swap(beside, target)
        _sync(target.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _beside(target: Path) -> Path:
    """A hidden, unused name in the same folder, so that the rename stays on one file system.

    It tells machine and process. What a killed process of this machine left beside `target` is removed.
    """
    for path, pid in list(_leftovers(target)):
        if not _runs(pid):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return target.with_name(
        f".{target.stem}.{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}.tmp{target.suffix}"
    )


def _leftovers(target: Path) -> Iterator[tuple[Path, int]]:
    before, after = f".{target.stem}.{platform.node()}-", f".tmp{target.suffix}"
    for path in target.parent.iterdir():
        if path.name.startswith(before) and path.name.endswith(after):
            pid = path.name.removeprefix(before).split("-")[0]
            if pid.isdigit():
                yield path, int(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _swap(beside: Path, target: Path) -> None:
    """Rename `beside` to `target`; a folder cannot be renamed over a full one, so the old one steps aside."""
    if not target.exists():
        os.replace(beside, target)
        return
    old = _beside(target)
    os.replace(target, old)
    try:
        os.replace(beside, target)
    except OSError:
        os.replace(old, target)
        raise
    shutil.rmtree(old)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_tree(top: Path) -> None:
    """Sync every file and folder below; in threads, since each one waits for the disk."""
    paths = [top, *top.rglob("*")]
    with ThreadPoolExecutor(_SYNC_THREADS) as pool:
        list(pool.map(_sync, paths))
