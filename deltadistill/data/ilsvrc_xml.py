"""One annotation of ImageNet VID or DET: an XML file with the size of the picture and its objects."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from deltadistill.boxes import NO_TRACK


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
    try:
        top = ElementTree.parse(path).getroot()
        size = int(_text(top, "size/height")), int(_text(top, "size/width"))
        return size, [_annotated(item) for item in top.iterfind("object")]
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is broken XML ({error}); copy it again") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _annotated(item: ElementTree.Element) -> Annotated:
    box = tuple(float(_text(item, f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax"))
    track = item.findtext("trackid")
    return Annotated(
        synset=_text(item, "name"),
        box=box,
        track=NO_TRACK if track is None else int(track),
        occluded=item.findtext("occluded", "0").strip() == "1",
        generated=item.findtext("generated", "0").strip() == "1",
    )


def _text(item: ElementTree.Element, path: str) -> str:
    text = (item.findtext(path) or "").strip()
    if not text:
        raise ValueError(f"<{item.tag}> has no {path}")
    return text
