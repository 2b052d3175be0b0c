"""Ground truth of label images: a class for every pixel of the frames that there is an image of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deltadistill.acceleration.footage import Shot
from deltadistill.acceleration.frame_names import FrameOf
from deltadistill.acceleration.truth import require_size
from deltadistill.data.picture import decode_picture
from deltadistill.video.fitting import placed

_IGNORED = 255
_REMEDY = "expected grey pictures, .png, of class numbers by pixel; 255 does not count"


@dataclass(frozen=True)
class LabelTruth:
    """Files of label images, of the size of the video's pictures, by the number of the frame, from 0."""

    name: str
    files: Mapping[int, Path]
    measure: str = "mean IoU"
    digest: str = ""

    def covers(self, number: int) -> bool:
        """See `Truth`."""
        return number in self.files

    def record(self, shot: Shot, number: int, found: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
        """Shared, united and true pixels by class (3, K); see `Truth`."""
        if "label_map" not in found:
            raise ValueError(
                f"{self.name} has labels, and the network returns none; name a decoder of labels"
            )
        there = _labels(self.files[number])
        require_size(str(self.files[number]), number, there.shape[:2], shot)
        answer = np.asarray(found["label_map"], np.int32) + 1  # 0 is outside of the network's frame
        answer = placed(answer, shot.picture, shot.where)
        counts = (there != _IGNORED) & (answer > 0)
        one, other = there[counts].astype(np.int64), answer[counts].astype(np.int64) - 1
        count = int(max(one.max(initial=0), other.max(initial=0))) + 1
        table = np.bincount(one * count + other, minlength=count * count).reshape(count, count)
        return np.stack([table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal(), table.sum(1)])

    def total(self, records: Sequence[np.ndarray]) -> float:
        """Mean IoU over the classes that the truth has."""
        count = max(record.shape[1] for record in records)
        padded = [np.pad(record, [(0, 0), (0, count - record.shape[1])]) for record in records]
        shared, united, there = np.sum(padded, 0)
        return float((shared[there > 0] / united[there > 0]).mean()) if (there > 0).any() else 0.0


def read_label_images(folder: Path, frame_of: FrameOf) -> LabelTruth:
    """The label images of a folder; ValueError where there are none, or a name tells no frame."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".png"]
    if not files:
        raise ValueError(f"{folder} holds no .png; {_REMEDY}")
    try:
        return LabelTruth(str(folder), {frame_of(path.name): path for path in files})
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None


def _labels(path: Path) -> np.ndarray:
    labels = decode_picture(path, cv2.IMREAD_UNCHANGED)
    if labels.ndim != 2:
        raise ValueError(f"{path} has colours (of a palette, it may be); {_REMEDY}")
    return labels
