"""Writes PNG files without compression, so that equal pixels give equal bytes on every machine.

A compressor's output differs between zlib versions and processors; stored blocks have one form. Noisy frames
hardly compress anyway, and writing takes a fifth of the time.
"""

import struct
import zlib
from pathlib import Path

import numpy as np

_COLOUR_TYPE = {1: 0, 3: 2}  # channels → grey, RGB
_BLOCK = 65535  # largest stored block of deflate


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 pixels, grey (H, W) or RGB (H, W, 3)."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if pixels.dtype != np.uint8 or channels not in _COLOUR_TYPE:
        raise ValueError(f"a PNG takes uint8 (H, W) or (H, W, 3), got {pixels.dtype} {pixels.shape}")
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # first byte of a row: no filter
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[channels], 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", _stored(rows.tobytes())), _chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _stored(data: bytes) -> bytes:
    """A zlib stream of stored blocks."""
    pieces = [b"\x78\x01"]
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        last = start + _BLOCK >= len(data)
        pieces += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    pieces.append(struct.pack(">I", zlib.adler32(data)))
    return b"".join(pieces)
