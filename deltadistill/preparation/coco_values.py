"""Whether the values in COCO-style JSON are of the kinds that they stand for."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

_LONGEST_NAME = 200  # characters; a clip's name becomes the name of a file


def odd_values(content: Mapping[str, Any]) -> Iterator[str]:
    """Say of every value that is read, but for boxes and tracks, where it is of another kind."""
    for part, kinds in _KINDS.items():
        for place, entry in enumerate(content.get(part, [])):
            for key, (fits, expected) in kinds.items():
                if key not in entry and part == "videos":
                    yield f"{part}, entry {place} has no {key}"
                elif key in entry and not fits(entry[key]):
                    yield f"{part}, entry {place}: {key} is {entry[key]!r:.60}; expected {expected}"


def _is_key(value: Any) -> bool:
    return type(value) is int or isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()


def _is_place(value: Any) -> bool:
    """A path below the folder of the images, or an absolute one, which this project writes too."""
    return isinstance(value, str) and value != "" and value.isprintable() and ".." not in value.split("/")


def _is_side(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**16


def _is_count_or_none(value: Any) -> bool:
    return value is None or (type(value) is int and value >= 0)


Kind = tuple[Callable[[Any], bool], str]
_KEY: Kind = (_is_key, "a whole number or text")
_KEY_OR_NONE: Kind = (lambda value: value is None or _is_key(value), "a whole number or text, or null")
_NAME: Kind = (_is_name, f"text of 1 to {_LONGEST_NAME} printable characters")
_SIDE: Kind = (_is_side, "a number of pixels")
_KINDS: dict[str, dict[str, Kind]] = {
    "images": {
        "id": _KEY,
        "file_name": (_is_place, "a path without .. and control characters"),
        "height": _SIDE,
        "width": _SIDE,
        "video_id": _KEY_OR_NONE,
        "frame_id": (_is_count_or_none, "a whole number from 0"),
    },
    "annotations": {"id": _KEY, "image_id": _KEY, "category_id": _KEY},
    "categories": {"id": _KEY, "name": _NAME},
    "videos": {"id": _KEY, "name": _NAME},
}
