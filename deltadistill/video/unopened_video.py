"""Why a file could not be opened as a video, from its first bytes: what it is instead, or what it lacks."""

from pathlib import Path

from deltadistill.data.picture_size import picture_size

_HEAD = 1 << 16  # bytes; a camera puts a thumbnail before the size
_MP4 = (b"ftyp", b"mdat", b"moov", b"wide", b"free", b"skip", b"pnot")  # first boxes, QuickTime's too


def what_is_wrong(path: Path) -> str | None:
    """What there is to say in words; None where the content tells nothing."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if _lacks_index(path, head):
        return (
            "is truncated: an MP4 without its index (moov), as where a recording or a copy was broken off; "
            "copy it again, or repair it with a recording of the same camera"
        )
    if picture_size(head):
        return "is a single picture; give the folder that holds the pictures of the video"
    return None


def _lacks_index(path: Path, head: bytes) -> bool:
    """Whether it begins as an MP4, and none of its boxes, each with its length before it, is the index."""
    if head[4:8] not in _MP4:
        return False
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place + 8 <= size:
            file.seek(place)
            start = file.read(16)
            if start[4:8] == b"moov":
                return False
            length = int.from_bytes(start[:4])
            if length == 1:  # the length follows, in eight bytes
                length = int.from_bytes(start[8:16])
            if length < 8:  # up to the end of the file, or nonsense
                break
            place += length
    return True
