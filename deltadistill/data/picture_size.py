"""How large a picture is, from its header alone: known before a decoder takes memory for it.

The formats are those that folders of pictures may hold; what begins otherwise is no picture here, whatever
else a decoder would take it for.
"""

import struct

_PNG, _JPEG, _BMP, _WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", (b"RIFF", b"WEBP")
_TIFF = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257  # tags
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers SOF0 … SOF15, which give the size
_JPEG_BARE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) of a PNG, JPEG, BMP, WebP or TIFF picture; None for anything else."""
    try:
        if data.startswith(_PNG):
            width, height = struct.unpack_from(">II", data, 16)
        elif data.startswith(_JPEG):
            height, width = _jpeg(data)
        elif data.startswith(_BMP):
            width, height = _bmp(data)
        elif data.startswith(_WEBP[0]) and data[8:12] == _WEBP[1]:
            width, height = _webp(data)
        elif data[:4] in _TIFF:
            width, height = _tiff(data, _TIFF[data[:4]])
        else:
            return None
    except (struct.error, KeyError, IndexError):  # the header is cut off, or lacks the size
        return None
    return height, width


def is_animated_webp(data: bytes) -> bool:
    """Whether a file that begins so is a WebP of several pictures; a decoder gives the first alone."""
    is_extended = data.startswith(_WEBP[0]) and data[8:16] == _WEBP[1] + b"VP8X" and len(data) > 20
    return is_extended and bool(data[20] & 2)


def _jpeg(data: bytes) -> tuple[int, int]:
    """(height, width) in the first frame header."""
    place = 2
    while data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # filling
            place += 1
        elif marker in _JPEG_FRAMES:
            return struct.unpack_from(">HH", data, place + 5)
        elif marker in _JPEG_BARE:
            place += 2
        else:
            place += 2 + max(2, struct.unpack_from(">H", data, place + 2)[0])
    raise KeyError("size")


def _bmp(data: bytes) -> tuple[int, int]:
    """(width, height); a negative height means rows from the top."""
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the header of OS/2
        return struct.unpack_from("<HH", data, 18)
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _webp(data: bytes) -> tuple[int, int]:
    """(width, height) of one of its three kinds."""
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        low, high, low_h, high_h = struct.unpack_from("<HBHB", data, 24)  # three bytes each
        return (low | high << 16) + 1, (low_h | high_h << 16) + 1
    raise KeyError("size")


def _tiff(data: bytes, order: str) -> tuple[int, int]:
    """(width, height) in the first directory."""
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    found = {}
    for number in range(struct.unpack_from(f"{order}H", data, start)[0]):
        place = start + 2 + 12 * number
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT):
            found[tag] = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, place + 8)[0]
    return found[_TIFF_WIDTH], found[_TIFF_HEIGHT]
