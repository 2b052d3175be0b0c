"""A clip whose frames show a class each: the likeliest classes written on the frame, mistakes in red."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deltadistill.pipeline.report.clip import Clip, Tile
from deltadistill.pipeline.report.paint import MISTAKE, photo_uri

_WIDTH = 320  # pixels, to which smaller frames are enlarged, so that names can be read
_BAR, _INK, _PAPER = 26, (28, 30, 34), (255, 255, 255)
_LETTER = 8  # pixels of width, about


@dataclass(frozen=True)
class ClassScene(Clip):
    """One clip: truths are the true class of each frame, predictions guesses of each variant.

    Guesses are float32 (F, k, 2): class and probability, the likeliest first.
    """

    truths: tuple[int, ...] | None
    names: tuple[str, ...] = ()

    @property
    def fault(self) -> str:
        """What the mistakes of a variant are."""
        return "wrong class" if self.has_truth else "unlike the teacher"

    @property
    def legend(self) -> str:
        """What the notes below mistakes say."""
        return "In red: the likeliest class is another than the " + (
            "true one." if self.has_truth else "teacher's."
        )

    def blended(self, variant: str, frame: int, table: np.ndarray) -> np.ndarray:
        """The frame, enlarged, with the likeliest class and its probability, in red where it is wrong."""
        number, probability = self.predictions[variant][frame, 0]
        text = f"{self._name(int(number))} {100 * probability:.0f} %"
        return self._written(frame, text, red=self.wrong(variant, frame))

    def truth(self, frame: int, table: np.ndarray) -> Tile:
        """The frame with its true class."""
        name = self._name(self.truths[frame])
        return Tile(photo_uri(self._written(frame, name, red=False)), f"{name} at distance {frame}")

    def prediction(self, variant: str, frame: int, table: np.ndarray) -> Tile:
        """The frame with the likeliest class."""
        name = self._name(self.guess(variant, frame))
        return Tile(
            photo_uri(self.blended(variant, frame, table)),
            f"{self.label(variant)} at distance {frame}: {name}",
        )

    def mistakes(self, variant: str, frame: int, table: np.ndarray) -> Tile:
        """The frame with all guesses of a variant, the likeliest first."""
        guesses = self.predictions[variant][frame]
        listed = ", ".join(f"{self._name(int(c))} {100 * p:.0f} %" for c, p in guesses[:3])
        note = "wrong" if self.wrong(variant, frame) else "right"
        picture = self._written(frame, note, red=note == "wrong")
        return Tile(photo_uri(picture), f"{self.label(variant)} at distance {frame}: {listed}", note)

    def guess(self, variant: str, frame: int) -> int:
        """The likeliest class."""
        return int(self.predictions[variant][frame, 0, 0])

    def wrong(self, variant: str, frame: int) -> bool:
        """Whether the likeliest class is another than the true one, or the teacher's without labels."""
        truth = self.truths[frame] if self.truths is not None else self.guess(self.teacher, frame)
        return self.guess(variant, frame) != truth

    def _name(self, number: int) -> str:
        return self.names[number] if 0 <= number < len(self.names) else f"class {number}"

    def _written(self, frame: int, text: str, *, red: bool) -> np.ndarray:
        picture = Image.fromarray(self.images[frame])
        scale = max(1, -(-_WIDTH // picture.width))
        picture = picture.resize((scale * picture.width, scale * picture.height), Image.Resampling.BICUBIC)
        draw, ink = ImageDraw.Draw(picture), tuple(int(v) for v in MISTAKE) if red else _INK
        draw.rectangle((0, picture.height - _BAR, picture.width, picture.height), fill=_PAPER)
        place = (6, picture.height - _BAR / 2)
        shown = text[: picture.width // _LETTER]
        draw.text(place, shown, ink, ImageFont.load_default(16), anchor="lm")
        return np.asarray(picture)
