"""A clip with label maps: predictions as class colours, mistakes as red pixels."""

from dataclasses import dataclass

import numpy as np

from deltadistill.pipeline.report.paint import map_uri, mistakes, overlay, photo_uri
from deltadistill.pipeline.report.tile import Tile


@dataclass(frozen=True)
class LabelScene:
    """One clip: images (F, H, W, 3) uint8, labels (F, H, W) uint8 or None, the same for each prediction.

    ``period`` is the sequence length of the streams: frames 0, period, 2 period … are key frames.
    ``frames_per_second`` is the rate at which the clip was taken, where its data set tells times.
    """

    clip: str
    period: int
    images: np.ndarray
    labels: np.ndarray | None
    predictions: dict[str, np.ndarray]
    frames_per_second: float | None = None

    @property
    def has_truth(self) -> bool:
        """Whether there are labels to compare with."""
        return self.labels is not None

    @property
    def fault(self) -> str:
        """What the mistakes of a variant are."""
        return "wrong pixels" if self.has_truth else "unlike the teacher"

    @property
    def legend(self) -> str:
        """What the notes below mistakes say."""
        return "Percentages: share of all pixels in red."

    def distance(self, frame: int) -> int:
        """Frames since the last key frame."""
        return frame % self.period

    def blended(self, variant: str, frame: int, table: np.ndarray) -> np.ndarray:
        """A prediction over its frame, (H, W, 3)."""
        return overlay(self.images[frame], self.predictions[variant][frame], table)

    def truth(self, frame: int, table: np.ndarray) -> Tile:
        """The labels of a frame."""
        return Tile(map_uri(table[self.labels[frame]]), f"ground truth at distance {frame}")

    def prediction(self, variant: str, frame: int, table: np.ndarray) -> Tile:
        """A prediction by itself; over its frame where there is no ground truth beside it."""
        alt = f"prediction of {variant} at distance {frame}"
        if not self.has_truth:
            return Tile(photo_uri(self.blended(variant, frame, table)), alt)
        return Tile(map_uri(table[self.predictions[variant][frame]]), alt)

    def mistakes(self, variant: str, frame: int, table: np.ndarray) -> Tile:
        """Where a prediction is wrong, in red."""
        wrong = self.wrong(variant, frame)
        note = f"{100 * wrong.mean():.1f} %"
        alt = f"{note} of the pixels of {variant} at distance {frame} are {self.fault}, in red"
        return Tile(photo_uri(mistakes(self.images[frame], wrong)), alt, note)

    def wrong(self, variant: str, frame: int) -> np.ndarray:
        """Pixels (H, W) where the variant differs from the label, or from the teacher without labels."""
        predicted = self.predictions[variant][frame]
        if self.labels is None:
            return predicted != self.predictions["teacher"][frame]
        return (predicted != self.labels[frame]) & (self.labels[frame] != 255)
