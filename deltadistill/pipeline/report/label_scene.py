"""A clip with label maps: predictions as class colours, mistakes as red pixels."""

from dataclasses import dataclass

import numpy as np

from deltadistill.pipeline.report.clip import Clip, Tile
from deltadistill.pipeline.report.paint import blend, map_uri, mistakes, photo_uri


@dataclass(frozen=True)
class LabelScene(Clip):
    """One clip: truths are labels (F, H, W) uint8, and so are predictions."""

    truths: np.ndarray | None

    @property
    def fault(self) -> str:
        """What the mistakes of a variant are."""
        return "wrong pixels" if self.has_truth else "unlike the teacher"

    @property
    def legend(self) -> str:
        """What the notes below mistakes say."""
        return "Percentages: share of all pixels in red."

    def blended(self, variant: str, frame: int, table: np.ndarray) -> np.ndarray:
        """A prediction over its frame, (H, W, 3)."""
        return blend(self.images[frame], self.predictions[variant][frame], table)

    def truth(self, frame: int, table: np.ndarray) -> Tile:
        """The labels of a frame."""
        return Tile(map_uri(table[self.truths[frame]]), f"ground truth at distance {frame}")

    def prediction(self, variant: str, frame: int, table: np.ndarray) -> Tile:
        """A prediction by itself; over its frame where there is no ground truth beside it."""
        alt = f"prediction of {self.label(variant)} at distance {frame}"
        if not self.has_truth:
            return Tile(photo_uri(self.blended(variant, frame, table)), alt)
        return Tile(map_uri(table[self.predictions[variant][frame]]), alt)

    def mistakes(self, variant: str, frame: int, table: np.ndarray) -> Tile:
        """Where a prediction is wrong, in red."""
        wrong = self.wrong(variant, frame)
        note = f"{100 * wrong.mean():.1f} %"
        alt = f"{note} of the pixels of {self.label(variant)} at distance {frame} are {self.fault}, in red"
        return Tile(photo_uri(mistakes(self.images[frame], wrong)), alt, note)

    def wrong(self, variant: str, frame: int) -> np.ndarray:
        """Pixels (H, W) where the variant differs from the label, or from the teacher without labels."""
        predicted = self.predictions[variant][frame]
        if self.truths is None:
            return predicted != self.predictions[self.teacher][frame]
        return (predicted != self.truths[frame]) & (self.truths[frame] != 255)
