"""One annotation of ImageNet VID or DET: an XML file with the size of the picture and its objects."""

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from deltadistill.data.boxes import NO_TRACK
from deltadistill.files.limits import MOST_PIXELS, MOST_XML_BYTES
from deltadistill.files.text import read_text

_MOST_DIGITS = 18


@dataclass(frozen=True)
class Annotated:
    """One object: `synset` names its class, `box` is (x0, y0, x1, y1) in pixels.

    DET has neither tracks nor the two flags. The files' xmax and ymax are taken as exclusive, as the public
    converters to COCO's form do.
    """

    synset: str
    box: tuple[float, float, float, float]
    track: int = NO_TRACK
    occluded: bool = False
    generated: bool = False


def read_annotation(path: Path) -> tuple[tuple[int, int], list[Annotated]]:
    """(height, width) of the picture, and its objects.

    ValueError names the file and what is wrong with it.
    """
    text = read_text(path, most_bytes=MOST_XML_BYTES, remedy="copy it again")
    if "<!" in text.replace("<!--", ""):
        raise ValueError(f"{path} declares a document type or entities, which no annotation needs")
    try:
        top = ElementTree.fromstring(text)
        size = _whole(top, "size/height"), _whole(top, "size/width")
        if min(size) < 1 or size[0] * size[1] > MOST_PIXELS:
            raise ValueError(f"its size is {size}; pictures of 1 to {MOST_PIXELS} pixels are read")
        return size, [_annotated(item) for item in top.iterfind("object")]
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is broken XML ({error}); copy it again") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _annotated(item: ElementTree.Element) -> Annotated:
    box = tuple(_number(item, f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax"))
    track = item.findtext("trackid")
    return Annotated(
        synset=_text(item, "name"),
        box=box,
        track=NO_TRACK if track is None else _whole(item, "trackid"),
        occluded=item.findtext("occluded", "0").strip() == "1",
        generated=item.findtext("generated", "0").strip() == "1",
    )


def _number(item: ElementTree.Element, path: str) -> float:
    text = _text(item, path)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{path} is {text}, which is no number of pixels")
    return value


def _whole(item: ElementTree.Element, path: str) -> int:
    text = _text(item, path)
    if not text.removeprefix("-").isdecimal() or len(text) > _MOST_DIGITS:
        raise ValueError(f"{path} is {text[:30]!r}, which is no whole number")
    return int(text)


def _text(item: ElementTree.Element, path: str) -> str:
    text = (item.findtext(path) or "").strip()
    if not text:
        raise ValueError(f"<{item.tag}> has no {path}")
    return text
