"""Files of torch.save: what they could do is checked before PyTorch's own reader for plain values sees them.

That reader (`weights_only`) runs no code, but unpacks what was compressed, however much that is, and builds
what the file asks for, such as a bytearray of any length or a tensor without values.
"""

import zipfile
from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO

import torch

from deltadistill.files.limits import MOST_PICKLE_BYTES
from deltadistill.files.pickles import RefusedError, check_pickle

ARCHIVE = b"PK\x03\x04"  # torch.save writes a zip archive
_OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # before PyTorch 1.6 pickles in a row, this number first
_LEGACY_PICKLES = 5  # that number, version, machine, content, names of storages; then the values themselves


def read_tensors(path: Path, *, checksums: bool) -> Any:
    """Return what a file of torch.save holds: tensors in mappings and sequences, and plain values.

    checksums: compare every part of the archive with its checksum. torch.save writes them unless told not
        to, so leave them to files that are known to have them; an archive is needed then.
    Raises ValueError that says what is wrong, without the path.
    """
    with path.open("rb") as file:
        try:
            most_bytes = _checked(file, path, checksums=checksums)
            content = torch.load(path, weights_only=True, map_location="cpu")
        except Exception as error:  # zipfile, pickletools and torch.load raise many kinds
            raise ValueError(_fault(path, error)) from error
    for name, tensor in _tensors(content):
        _refuse_unreal(name, tensor, most_bytes)
    return content


def _checked(file: BinaryIO, path: Path, *, checksums: bool) -> int:
    """Refuse what honest files do not hold; returns the size in bytes that no tensor can exceed."""
    size = path.stat().st_size
    head = file.read(len(ARCHIVE))
    file.seek(0)
    if head == ARCHIVE or checksums:
        _check_archive(file, size, checksums=checksums)
    else:
        with mmap(
            file.fileno(), 0, access=ACCESS_READ
        ) as content:  # a plain file makes room for what it reads
            for _ in range(_LEGACY_PICKLES):
                check_pickle(content, most_values=size)
    return size


def _check_archive(file: BinaryIO, size: int, *, checksums: bool) -> None:
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        packed = [part.filename for part in parts if part.compress_type != zipfile.ZIP_STORED]
        if packed:
            raise RefusedError(f"its part {packed[0]} is compressed, which torch.save never does")
        if sum(part.file_size for part in parts) > size:
            raise RefusedError(f"its parts together are larger than its {size} bytes")
        if checksums and (broken := archive.testzip()):
            raise RefusedError(f"its part {broken} does not have the checksum it was written with")
        for part in parts:
            if part.filename.lower().endswith("data.pkl"):
                if part.file_size > MOST_PICKLE_BYTES:
                    raise RefusedError(
                        f"its description of tensors has {part.file_size} bytes, {MOST_PICKLE_BYTES} allowed"
                    )
                with archive.open(part) as pickle:
                    check_pickle(pickle, most_values=None)  # PyTorch compares them with their parts


def _tensors(content: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor with a name for errors, each container once, however often it is referred to."""
    seen: set[int] = set()
    waiting = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, torch.Tensor):
            yield name, value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            waiting += [(str(key), inner) for key, inner in items]


def _refuse_unreal(name: str, tensor: torch.Tensor, most_bytes: int) -> None:
    """ValueError for a tensor with more elements than values in the file: each honest one has its own."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise RefusedError(f"its tensor {name} is no plain one: {tensor.layout} on {tensor.device}")
    if tensor.numel() * tensor.element_size() > min(most_bytes, tensor.untyped_storage().nbytes()):
        raise RefusedError(
            f"its tensor {name} of shape {tuple(tensor.shape)} has only "
            f"{tensor.untyped_storage().nbytes()} bytes of values"
        )


def _fault(path: Path, error: Exception) -> str:
    """What is wrong with a file that could not be read.

    The readers' own messages are often a bare key or empty, or advise to let the file run code.
    """
    with path.open("rb") as file:
        head = file.read(16)
    size = path.stat().st_size
    if not head:
        return "it is empty"
    if not head.startswith((ARCHIVE, _OLD)):
        return f"its {size} bytes are no archive of PyTorch, they begin with {head!r}"
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, UnpicklingError):
        return "it holds more than tensors and plain values, or is damaged; what could run code is not loaded"
    if head.startswith(ARCHIVE) and not zipfile.is_zipfile(path):
        return f"it is truncated, only {size} bytes are there"
    return f"it is damaged ({type(error).__name__}: {error})"
