"""Damage to a file's bytes, drawn by a seeded generator: what disks, networks and attackers do to them."""

import io
import re
import struct
import zipfile
import zlib
from random import Random

# What stands for a number or a word in text of any format.
ODD = (
    "-1", "0", "1e999", "NaN", "Infinity", "-Infinity", "9" * 20, "1" * 5000, "2147483648", "0.5",
    "null", "true", '""', "[]", "{}", '"../../etc/passwd"', "../../etc/passwd", "/etc/passwd", "/dev/zero",
    "[" * 3000, "{a: " * 200, "&a [*a]", "*b", "!!python/object:os.system x", "2001-99-99",
    "\0", "\x1b[2J", '"', ",", "\n", ":", "é", "\u202e", "name", "-" * 200,
)  # fmt: skip
_ODD_INTEGERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_TOKEN = re.compile(rb"[A-Za-z_]+|-?\d+\.?\d*")
_PNG = b"\x89PNG\r\n\x1a\n"


def mutate(data: bytes, draw: Random) -> bytes:
    """One to three changes of a kind that suits what the data is."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        kinds = [flip, cut, insert, repeat, swap, odd_integer]
        if _is_text(data):
            kinds += [odd_token, odd_token, odd_token, drop_line, repeat_line]
        if data.startswith(b"PK\x03\x04"):
            kinds += [inside_zip, inside_zip, inside_zip]
        if data.startswith(_PNG):
            kinds += [png_header, png_header]
        data = draw.choice(kinds)(data, draw)
    return data


def flip(data: bytes, draw: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 8, 64)) if data else 0):
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(data: bytes, draw: Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def insert(data: bytes, draw: Random) -> bytes:
    place = draw.randrange(len(data) + 1)
    return data[:place] + draw.randbytes(draw.choice((1, 4, 100))) + data[place:]


def repeat(data: bytes, draw: Random) -> bytes:
    start, end = _span(data, draw)
    return data[:end] + data[start:end] * draw.choice((1, 2, 20)) + data[end:]


def swap(data: bytes, draw: Random) -> bytes:
    places = sorted(draw.randrange(len(data) + 1) for _ in range(4))
    a, b, c, d = places
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def odd_integer(data: bytes, draw: Random) -> bytes:
    """Four or two bytes that may be a length or a size, as the extreme values of one."""
    form = draw.choice(("<I", ">I", "<H", ">H"))
    width = struct.calcsize(form)
    if len(data) < width:
        return data
    place = draw.randrange(len(data) - width + 1)
    value = draw.choice(_ODD_INTEGERS) & (2 ** (8 * width) - 1)
    return data[:place] + struct.pack(form, value) + data[place + width :]


def odd_token(data: bytes, draw: Random) -> bytes:
    found = list(_TOKEN.finditer(data))
    if not found:
        return data
    match = draw.choice(found)
    return data[: match.start()] + draw.choice(ODD).encode() + data[match.end() :]


def drop_line(data: bytes, draw: Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        del lines[draw.randrange(len(lines))]
    return b"".join(lines)


def repeat_line(data: bytes, draw: Random) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        line = draw.choice(lines)
        lines.insert(draw.randrange(len(lines) + 1), line)
    return b"".join(lines)


def inside_zip(data: bytes, draw: Random) -> bytes:
    """Change one member and write a whole archive again, with checksums that fit; at times compressed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [(part.filename, archive.read(part)) for part in archive.infolist()]
    except Exception:  # it was damaged before
        return data
    if not parts:
        return data
    described = [i for i, (name, _) in enumerate(parts) if name.endswith((".pkl", ".npy"))]
    number = (
        draw.choice(described or range(len(parts))) if draw.random() < 0.8 else draw.randrange(len(parts))
    )
    name, content = parts[number]
    how = draw.choice((flip, cut, insert, repeat, swap, odd_integer, odd_token))
    parts[number] = (name, how(content, draw))
    written = io.BytesIO()
    kind = draw.choice((zipfile.ZIP_STORED,) * 5 + (zipfile.ZIP_DEFLATED,))
    with zipfile.ZipFile(written, "w", kind) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return written.getvalue()


def png_header(data: bytes, draw: Random) -> bytes:
    """Change size, depth, colour type or interlacing, with a checksum that fits."""
    if len(data) < 33:
        return data
    header = bytearray(data[16:29])
    if draw.random() < 0.6:
        place = draw.choice((0, 4))
        header[place : place + 4] = struct.pack(">I", draw.choice((0, 1, 30000, 65535, 2**31 - 1, 2**32 - 1)))
    else:
        header[draw.randrange(8, 13)] = draw.randrange(256)
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + bytes(header)))
    return data[:16] + bytes(header) + checksum + data[33:]


def _span(data: bytes, draw: Random) -> tuple[int, int]:
    start = draw.randrange(len(data) + 1)
    return start, min(len(data), start + draw.choice((1, 16, 300)))


def _is_text(data: bytes) -> bool:
    try:
        return bool(data) and b"\0" not in data and bool(data.decode())
    except UnicodeDecodeError:
        return False
