"""Whether a picture file has its end; decoders fill what is cut off with grey or black, without a word."""

from pathlib import Path

_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def has_end(data: bytes) -> bool:
    """Whether the content of a PNG or JPEG file reaches its end marker; True for other formats.

    Pixels of a JPEG never contain a marker, but a thumbnail before them has an end of its own.
    """
    if data.startswith(_PNG):
        return _PNG_END in data[-64:]
    if data.startswith(_JPEG):
        return data.rfind(_JPEG_END) > data.rfind(_JPEG_SCAN)
    return True


def png_parts_fit(data: bytes) -> bool:
    """Whether the parts of a PNG file have the lengths they say, up to its end marker; True for others.

    The decoder makes room for what a part says, half a gigabyte at most, before it looks how much there is.
    """
    if not data.startswith(_PNG):
        return True
    place = len(_PNG)
    while place + 12 <= len(data):  # length, name, content, checksum
        length, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        place += 12 + length
        if name == b"IEND":
            return place <= len(data)
    return False


def png_has_end(path: Path) -> bool:
    """Whether a PNG file reaches its end marker; reads nothing but the last bytes."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_PNG_END)))
        return file.read() == _PNG_END
