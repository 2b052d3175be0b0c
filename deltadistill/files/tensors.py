"""Files of tensors: what they could do is checked before PyTorch's own reader for plain values sees them.

That reader (`weights_only`) runs no code, but unpacks what was compressed, however much that is, and builds
what the file asks for, such as a bytearray of any length or a tensor without values.
"""

import zipfile
from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path
from pickle import UnpicklingError
from threading import Lock
from typing import Any, BinaryIO

import torch

from deltadistill.files.file_kinds import kind_by_beginning, kind_by_parts
from deltadistill.files.limits import MOST_PICKLE_BYTES
from deltadistill.files.pickles import RefusedCallsError, RefusedError, check_pickle
from deltadistill.files.safetensors_file import is_safetensors, read_safetensors
from deltadistill.files.stand_ins import StandIn, stand_ins

ARCHIVE = b"PK\x03\x04"  # torch.save writes a zip archive
_OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # before PyTorch 1.6 pickles in a row, this number first
_LEGACY_PICKLES = 5  # that number, version, machine, content, names of storages; then the values themselves


_HEAD = 512  # bytes that tell what a file is
_allowing = Lock()  # what PyTorch's reader allows is one list for all threads


def read_tensors(path: Path, *, checksums: bool, settings: bool = False) -> Any:
    """Return what a file of torch.save holds: tensors in mappings and sequences, and plain values.

    checksums: compare every part of the archive with its checksum. torch.save writes them unless told not
        to, so leave them to files that are known to have them; an archive is needed then.
    settings: the file is another program's. It may be one of safetensors, and objects of no consequence
        come as `stand_ins.StandIn`.
    Raises ValueError that says what is wrong, without the path.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(0)
        try:
            if settings and is_safetensors(head):
                return read_safetensors(path, head)
            most_bytes, harmless = _checked(file, path, checksums=checksums, settings=settings)
            content = _loaded(path, harmless)
        except Exception as error:  # zipfile, pickletools and torch.load raise many kinds
            raise ValueError(_fault(path, head, error)) from error
    for name, tensor in _tensors(content):
        _refuse_unreal(name, tensor, most_bytes)
    return content


def _loaded(path: Path, harmless: set[str]) -> Any:
    with _allowing, torch.serialization.safe_globals(stand_ins(harmless)):
        return torch.load(path, weights_only=True, map_location="cpu")


def _checked(file: BinaryIO, path: Path, *, checksums: bool, settings: bool) -> tuple[int, set[str]]:
    """Refuse what honest files do not hold.

    Returns the size in bytes that no tensor can exceed, and the objects that stand-ins take the place of.
    """
    size = path.stat().st_size
    head = file.read(len(ARCHIVE))
    file.seek(0)
    if head == ARCHIVE or checksums:
        return size, _check_archive(file, size, checksums=checksums, settings=settings)
    harmless: set[str] = set()
    with mmap(file.fileno(), 0, access=ACCESS_READ) as content:  # a plain file makes room for what it reads
        for _ in range(_LEGACY_PICKLES):
            harmless |= check_pickle(content, most_values=size, settings=settings)
    return size, harmless


def _check_archive(file: BinaryIO, size: int, *, checksums: bool, settings: bool) -> set[str]:
    harmless: set[str] = set()
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        if kind := kind_by_parts([part.filename for part in parts]):
            raise RefusedError(kind)
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
                with archive.open(part) as pickle:  # PyTorch compares their values with their parts
                    harmless |= check_pickle(pickle, most_values=None, settings=settings)
    return harmless


def _tensors(content: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor with a name for errors, each container once, however often it is referred to."""
    seen: set[int] = set()
    waiting = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, torch.Tensor):
            yield name, value
        elif isinstance(value, Mapping | list | tuple | set | StandIn) and id(value) not in seen:
            seen.add(id(value))
            value = value.parts if isinstance(value, StandIn) else value
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


def _fault(path: Path, head: bytes, error: Exception) -> str:
    """What is wrong with a file that could not be read.

    The readers' own messages are often a bare key or empty, or advise to let the file run code.
    """
    size = path.stat().st_size
    if not head:
        return "it is empty"
    if isinstance(error, RefusedCallsError) and head.startswith((ARCHIVE, _OLD)):
        return str(error) + _way(path, error)
    if isinstance(error, RefusedError) and (head.startswith((ARCHIVE, _OLD)) or is_safetensors(head)):
        return str(error)
    if not head.startswith((ARCHIVE, _OLD)):
        kind = kind_by_beginning(head)
        begins = f"its {size} bytes are no archive of PyTorch, they begin with {head[:16]!r}"
        return f"{kind} ({begins})" if kind else begins
    if isinstance(error, UnpicklingError):
        return "it holds more than tensors and plain values, or is damaged; what could run code is not loaded"
    if head.startswith(ARCHIVE) and not zipfile.is_zipfile(path):
        return f"it is truncated, only {size} bytes are there"
    return f"it is damaged ({type(error).__name__}: {error})"


def _way(path: Path, error: RefusedCallsError) -> str:
    """How to convert an honest file of another program once; nothing for calls that none needs."""
    if not error.may_be_honest:
        return ""
    what, weights = "", "c.get('state_dict') or c.get('model') or c"
    if error.is_network:
        what = "; it is a network as an object, not its tensors by name"
        weights = "(c['model'] if isinstance(c, dict) else c).state_dict()"
    return (
        f"{what}; if you trust the file, convert it once where the program that wrote it is installed: "
        f"python -c \"import torch; c = torch.load('{path.name}', map_location='cpu', weights_only=False); "
        f"torch.save({weights}, 'tensors.pt')\""
    )
