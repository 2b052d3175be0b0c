"""Files of the safetensors format: a header of names, types and places, then the values."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from deltadistill.files.limits import MOST_PICKLE_BYTES
from deltadistill.files.pickles import RefusedError

_LENGTH = 8  # bytes that tell how long the header is


def is_safetensors(head: bytes) -> bool:
    """Whether a file begins as safetensors do. head: its first 9 bytes or more."""
    return len(head) > _LENGTH and head[_LENGTH : _LENGTH + 1] == b"{" and head[6:_LENGTH] == b"\0\0"


def read_safetensors(path: Path, head: bytes) -> dict[str, torch.Tensor]:
    """Return the tensors by name; RefusedError, without the path, for a header that does not fit the file."""
    size, length = path.stat().st_size, int.from_bytes(head[:_LENGTH], "little")
    if length > MOST_PICKLE_BYTES:
        raise RefusedError(f"its header has {length} bytes, {MOST_PICKLE_BYTES} allowed")
    if length + _LENGTH > size:
        raise RefusedError(f"it is truncated, only {size} bytes are there and its header has {length}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise RefusedError(f"it is a damaged or truncated safetensors file: {error}") from error
