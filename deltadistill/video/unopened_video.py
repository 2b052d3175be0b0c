"""Why a file could not be opened as a video, from its first bytes: what it is instead, or what it lacks."""

from pathlib import Path

from deltadistill.data.picture_size import picture_size

_HEAD = 1 << 16  # bytes; a camera puts a thumbnail before the size
_MP4 = (b"ftyp", b"mdat", b"moov", b"wide", b"free", b"skip", b"pnot")  # first boxes, QuickTime's too


def what_is_wrong(path: Path) -> str | None:
    """What there is to say in words; None where the content tells nothing."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[4:8] in _MP4 and (fault := _index_fault(path)):
        return (
            f"is truncated: an MP4 {fault} (moov), as where a recording or a copy was broken off; "
            "copy it again, or repair it with a recording of the same camera"
        )
    if picture_size(head):
        return "is a single picture; give the folder that holds the pictures of the video"
    return None


def _index_fault(path: Path) -> str | None:
    """What is wrong with the index among the boxes of an MP4, each of which has its length before it."""
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place + 8 <= size:
            file.seek(place)
            start = file.read(16)
            length = int.from_bytes(start[:4])
            if length == 1:  # the length follows, in eight bytes
                length = int.from_bytes(start[8:16])
            if start[4:8] == b"moov":
                return "whose index is cut off" if place + length > size else None
            if length < 8:  # up to the end of the file, or nonsense
                break
            place += length
    return "without its index"
