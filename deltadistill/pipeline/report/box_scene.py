"""A clip with boxes: detections in class colours, what is missed or found wrongly in red."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from deltadistill.data.box_picture import draw_boxes
from deltadistill.data.boxes import NOTHING, Detections, Objects, match
from deltadistill.pipeline.report.clip import Clip, Tile
from deltadistill.pipeline.report.paint import MISTAKE, mistakes, photo_uri

MIN_IOU = 0.5  # with which a box is found
ENLARGED = 2  # thin lines of boxes are seen better on larger pictures


@dataclass(frozen=True)
class BoxScene(Clip):
    """One clip: truths are the objects of each frame, predictions detections of each variant.

    Detections are float32 (F, n, 6): x0, y0, x1, y1, score, class; class −1 where there is none.
    """

    truths: tuple[Objects, ...] | None

    @property
    def fault(self) -> str:
        """What the mistakes of a variant are."""
        return "missed and wrong" if self.has_truth else "unlike the teacher"

    @property
    def legend(self) -> str:
        """What the notes below mistakes say."""
        what = "an object" if self.has_truth else "a box of the teacher"
        return f"In red: thick, {what} that is not found; thin, a box that finds none."

    def blended(self, variant: str, frame: int, table: np.ndarray) -> np.ndarray:
        """Detections over their frame, enlarged, (2 H, 2 W, 3)."""
        found = self.found(variant, frame)
        return np.asarray(self._drawn(frame, Objects(found.boxes, found.classes), table))

    def truth(self, frame: int, table: np.ndarray) -> Tile:
        """The objects of a frame."""
        drawn = self._drawn(frame, self.truths[frame], table)
        return Tile(photo_uri(np.asarray(drawn)), f"ground truth at distance {frame}")

    def prediction(self, variant: str, frame: int, table: np.ndarray) -> Tile:
        """Detections over their frame."""
        alt = f"detections of {self.label(variant)} at distance {frame}"
        return Tile(photo_uri(self.blended(variant, frame, table)), alt)

    def mistakes(self, variant: str, frame: int, table: np.ndarray) -> Tile:
        """What is missed and what is wrong, in red over a pale frame."""
        found = self.found(variant, frame)
        missed, wrong = unmatched(found, self.wanted(frame))
        picture = Image.fromarray(mistakes(self.images[frame], np.zeros(self.images[frame].shape[:2], bool)))
        picture = picture.resize((picture.width * ENLARGED, picture.height * ENLARGED))
        draw, red = ImageDraw.Draw(picture), tuple(int(value) for value in MISTAKE)
        for boxes, width in ((self.wanted(frame).boxes[missed], 4), (found.boxes[wrong], 1)):
            for box in boxes * ENLARGED:
                draw.rectangle(tuple(float(edge) for edge in box), outline=red, width=width)
        note = f"{missed.sum()} missed, {wrong.sum()} wrong"
        return Tile(
            photo_uri(np.asarray(picture)), f"{note}: {self.label(variant)} at distance {frame}", note
        )

    def found(self, variant: str, frame: int) -> Detections:
        """The detections of a variant in a frame."""
        rows = self.predictions[variant][frame]
        rows = rows[rows[:, 5] >= 0]
        return Detections(rows[:, :4], rows[:, 4], rows[:, 5])

    def wanted(self, frame: int) -> Objects:
        """What is to be found: the objects, or without them what the teacher finds."""
        if self.truths is not None:
            return self.truths[frame].chosen(~self.truths[frame].crowd)
        taught = self.found(self.teacher, frame)
        return Objects(taught.boxes, taught.classes)

    def _drawn(self, frame: int, objects: Objects, table: np.ndarray) -> Image.Image:
        height, width = self.images[frame].shape[:2]
        size = (height * ENLARGED, width * ENLARGED)
        return draw_boxes(self.images[frame], objects, [tuple(map(int, c)) for c in table], size=size)


def unmatched(found: Detections, wanted: Objects) -> tuple[np.ndarray, np.ndarray]:
    """Which objects are not found, bool (m,), and which detections find none, bool (n,)."""
    numbers = match(found, wanted, min_iou=MIN_IOU)
    return ~np.isin(np.arange(len(wanted)), numbers), numbers == NOTHING
