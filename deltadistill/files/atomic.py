"""Files and folders that appear whole or not at all: written beside, synced, then renamed into place."""

import errno
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

_SYNC_THREADS = 8
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EROFS, errno.EACCES, errno.EPERM}
CANNOT_WRITE = frozenset(_NO_ROOM | _NOT_ALLOWED)  # what whoever runs this can mend


class WriteError(OSError):
    """A file or folder that could not be written: which, why, how much room there was, what to do."""

    def __str__(self) -> str:
        return str(self.args[1])


@contextmanager
def file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path beside `path` to write to; when the block ends without an error it becomes `path`.

    The temporary name keeps the suffix, which many writers look at. Missing parent folders are made. After an
    error nothing is left behind and an existing `path` is untouched.
    """
    target = Path(path)
    beside = _beside(target)
    with _explained(target, beside):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        yield beside
        _sync(beside)
        os.replace(beside, target)
        _sync(target.parent)


@contextmanager
def folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; when the block ends without an error it becomes `path`.

    A folder that was there is replaced as a whole: files of an earlier run never mix with those of this one.
    """
    target = Path(path)
    beside = _beside(target)
    with _explained(target, beside):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        beside.mkdir()
        yield beside
        _sync_tree(beside)
        _swap(beside, target)
        _sync(target.parent)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write `data` to a path that `file` or `folder` gave; their error then tells what it takes."""
    try:
        path.write_bytes(data)
    except OSError as error:
        error.needed = len(data)
        raise


@contextmanager
def _explained(target: Path, beside: Path) -> Iterator[None]:
    """Remove what is half-written, and say what kept it from being written."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM or (error.errno in _NOT_ALLOWED and _is_near(error.filename, target)):
            raise WriteError(error.errno, _explanation(target, beside, error)) from error
        raise
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        elif beside.exists():  # else unlink would fail on a read-only disk
            beside.unlink()


def _is_near(filename: str | None, target: Path) -> bool:
    """Whether an error is about the target, what lies beside or in it, or a folder around it."""
    if filename is None:
        return True
    place = Path(filename)
    return target.parent in (place, *place.parents) or place in target.parents


def _explanation(target: Path, beside: Path, error: OSError) -> str:
    text = f"{target} cannot be written: {error.strerror}"
    if error.errno in _NOT_ALLOWED:
        return f"{text} ({error.filename or target.parent}); allow writing there, or choose another folder"
    written = _size(beside)
    room = shutil.disk_usage(target.parent).free + written
    needed = getattr(error, "needed", None)
    if needed is not None and beside.is_file():
        amount = f"it takes {needed:,} bytes, there was room for {room:,}"
    else:
        amount = f"{written:,} bytes of it were written when there was room for {room:,}"
    return f"{text}; {amount}; make room (a quota may be narrower); what was there before is kept"


def _size(place: Path) -> int:
    return sum(path.stat().st_size for path in (place, *place.rglob("*")) if path.is_file())


def _beside(target: Path) -> Path:
    """A hidden, unused name in the same folder, so that the rename stays on one file system.

    It tells machine and process, so that it is known whether anybody is still at work on it.
    """
    return target.with_name(
        f".{target.stem}.{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}.tmp{target.suffix}"
    )


def _remove_leftovers(target: Path) -> None:
    """Remove what killed processes of this machine left beside `target`."""
    for path, pid in list(_leftovers(target)):
        if not _runs(pid):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


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
