"""What was found in a picture, in the picture's own pixels: how it is drawn, and what it is as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np

from deltadistill.video.fitting import Window, placed
from deltadistill.video.palette import colour, colours

_SHARE = 0.5  # of the colours of labels and maps in the overlay
_COLOURS = 256  # classes beyond have the colours of earlier ones
_FEW = 64  # numbers of a tensor that JSON lines carry; of larger ones what they are like


class Found(Protocol):
    """What was found in one picture."""

    def drawn(self, pixels: np.ndarray) -> np.ndarray:
        """A copy of the picture uint8 RGB (H, W, 3) with it drawn on."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""


@dataclass(frozen=True)
class Showing:
    """How results are told and drawn. categories: names by class. threshold: boxes below it are left out.

    background: a class that is not drawn.
    """

    categories: Sequence[str] = ()
    threshold: float = 0.5
    background: int | None = None

    def name(self, label: int) -> str:
        """What a class is called."""
        return self.categories[label] if 0 <= label < len(self.categories) else str(label)


def found_in(
    decoded: Mapping[str, Any],
    *,
    picture: tuple[int, int],
    frame: tuple[int, int],
    where: Window,
    showing: Showing,
) -> Found:
    """What a decoder returned, in the pixels of the picture.

    picture, frame: (height, width) of the video's picture and of the network's frame; where: of the second in
    the first. Raises ValueError for a mapping that has none of the forms of decoders.py.
    """
    if "boxes" in decoded:
        return _boxes(decoded, picture, frame, where, showing)
    if "label_map" in decoded:
        return Labels(placed(np.asarray(decoded["label_map"], np.int32), picture, where), showing)
    if "map" in decoded:
        return NumberMap(placed(np.asarray(decoded["map"], np.float32), picture, where))
    if "classes" in decoded:
        return Classes(np.asarray(decoded["classes"]), np.asarray(decoded["scores"], np.float64), showing)
    if "tensors" in decoded:
        return Tensors(decoded["tensors"])
    raise ValueError(
        f"a decoder returned {sorted(map(str, decoded))}; expected boxes, label_map, map, classes or tensors"
    )


def _boxes(
    decoded: Mapping[str, Any],
    picture: tuple[int, int],
    frame: tuple[int, int],
    where: Window,
    showing: Showing,
) -> "Boxes":
    corners = np.asarray(decoded["boxes"], np.float64).reshape(-1, 4)
    scores = np.asarray(decoded.get("scores", np.ones(len(corners))), np.float64)
    labels = np.asarray(decoded.get("labels", np.zeros(len(corners))), np.int64)
    if not len(corners) == len(scores) == len(labels):
        raise ValueError(
            f"a decoder returned {len(corners)} boxes, {len(scores)} scores and {len(labels)} labels"
        )
    left, top, right, bottom = where
    across, down = (right - left) / frame[1], (bottom - top) / frame[0]
    corners = corners * [across, down, across, down] + [left, top, left, top]
    corners = corners.clip(0, [picture[1], picture[0]] * 2)
    kept = scores >= showing.threshold
    return Boxes(corners[kept], scores[kept], labels[kept], showing)


@dataclass(frozen=True)
class Boxes:
    """Boxes (n, 4), scores (n,) and labels (n,)."""

    corners: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    showing: Showing

    def drawn(self, pixels: np.ndarray) -> np.ndarray:
        """Frames in the colour of their class, with its name and the score."""
        picture = np.array(pixels, order="C")
        for corners, score, label in zip(self.corners, self.scores, self.labels, strict=True):
            left, top, right, bottom = (round(float(side)) for side in corners)
            text = f"{self.showing.name(int(label))} {score:.2f}"
            cv2.rectangle(picture, (left, top), (right, bottom), colour(int(label)), _line(picture))
            place = (left + 2, max(top - 4, 10))
            cv2.putText(
                picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, _letters(picture), (0, 0, 0), 3, cv2.LINE_AA
            )
            shade = colour(int(label))
            cv2.putText(
                picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, _letters(picture), shade, 1, cv2.LINE_AA
            )
        return picture

    def as_json(self) -> dict[str, Any]:
        """A list of boxes, the surest first."""
        order = np.argsort(-self.scores, kind="stable")
        return {
            "boxes": [
                {
                    "box": [round(float(side), 2) for side in self.corners[i]],
                    "score": round(float(self.scores[i]), 4),
                    "label": int(self.labels[i]),
                    "name": self.showing.name(int(self.labels[i])),
                }
                for i in order
            ]
        }


@dataclass(frozen=True)
class Labels:
    """A class for every pixel (H, W)."""

    label_map: np.ndarray
    showing: Showing

    def drawn(self, pixels: np.ndarray) -> np.ndarray:
        """The colours of the classes over the picture."""
        labels = (self.label_map % _COLOURS).astype(np.uint8)
        shades = cv2.applyColorMap(labels, colours(_COLOURS)[:, None])
        picture = cv2.addWeighted(np.ascontiguousarray(pixels), 1 - _SHARE, shades, _SHARE, 0)
        if self.showing.background is None:
            return picture
        return np.where((self.label_map == self.showing.background)[..., None], pixels, picture)

    def as_json(self) -> dict[str, Any]:
        """The share of the picture that each class takes."""
        found, counts = np.unique(self.label_map, return_counts=True)
        shares = {self.showing.name(int(label)): count for label, count in zip(found, counts, strict=True)}
        return {"shares": {name: round(float(n) / self.label_map.size, 6) for name, n in shares.items()}}


@dataclass(frozen=True)
class NumberMap:
    """A number for every pixel (H, W)."""

    values: np.ndarray

    def drawn(self, pixels: np.ndarray) -> np.ndarray:
        """Dark to bright over the picture: 0 to 1, or where values lie outside from the least to the most."""
        low, high = float(self.values.min()), float(self.values.max())
        low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
        grey = ((self.values - low) * (255 / max(high - low, 1e-9))).clip(0, 255).astype(np.uint8)
        shades = cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS)[..., ::-1]
        return cv2.addWeighted(
            np.ascontiguousarray(pixels), 1 - _SHARE, np.ascontiguousarray(shades), _SHARE, 0
        )

    def as_json(self) -> dict[str, Any]:
        """Least, mean and most."""
        return {"map": _like(self.values)}


@dataclass(frozen=True)
class Classes:
    """The likeliest classes of the picture and their probabilities."""

    labels: np.ndarray
    scores: np.ndarray
    showing: Showing

    def drawn(self, pixels: np.ndarray) -> np.ndarray:
        """Their names in a corner."""
        picture = np.array(pixels, order="C")
        for row, (label, score) in enumerate(zip(self.labels, self.scores, strict=True)):
            text, place = f"{score:.2f} {self.showing.name(int(label))}", (4, 16 + 18 * row)
            for shade, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
                cv2.putText(
                    picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, shade, thickness, cv2.LINE_AA
                )
        return picture

    def as_json(self) -> dict[str, Any]:
        """The likeliest first."""
        pairs = zip(self.labels, self.scores, strict=True)
        return {
            "classes": [
                {"label": int(label), "name": self.showing.name(int(label)), "score": round(float(score), 4)}
                for label, score in pairs
            ]
        }


@dataclass(frozen=True)
class Tensors:
    """Arrays by name, of which nothing is known."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def drawn(self, pixels: np.ndarray) -> np.ndarray:
        """The picture itself."""
        return pixels

    def as_json(self) -> dict[str, Any]:
        """Shapes, and the numbers of small ones."""
        return {"tensors": {name: _told(np.asarray(array)) for name, array in self.arrays.items()}}


def _told(array: np.ndarray) -> dict[str, Any]:
    told = {"shape": list(array.shape)}
    return told | ({"values": array.tolist()} if array.size <= _FEW else _like(array))


def _like(array: np.ndarray) -> dict[str, float]:
    values = array.astype(np.float64)
    return {"least": float(values.min()), "mean": float(values.mean()), "most": float(values.max())}


def _line(picture: np.ndarray) -> int:
    return max(1, round(min(picture.shape[:2]) / 360))


def _letters(picture: np.ndarray) -> float:
    return max(0.35, min(picture.shape[:2]) / 1200)
