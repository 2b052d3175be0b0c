"""How near answers are to reference ones, 0 to 1: a measure for each form of video/decoders.py."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from deltadistill.acceleration.average_precision import average_precision, hits

Decoded = Mapping[str, Any]
Record = Any
"""What one pair of answers adds to a measure."""


class Measure(Protocol):
    """name: in words. record: of a reference answer and another one. total: of many records, 0 to 1."""

    name: str

    def record(self, reference: Decoded, found: Decoded) -> Record:
        """What the pair adds."""

    def total(self, records: Sequence[Record]) -> float:
        """The measure over all of them; NaN where there is nothing to agree on."""


def measure_of(examples: Sequence[Decoded], *, threshold: float = 0.5) -> Measure:
    """The measure for answers like these.

    threshold: boxes of the reference below it are no boxes.
    """
    first = examples[0]
    if "boxes" in first:
        return BoxAgreement(threshold)
    if "label_map" in first:
        return LabelAgreement()
    if "map" in first:
        return BinaryAgreement() if all(_is_binary(each["map"]) for each in examples) else TensorAgreement()
    return ClassAgreement() if "classes" in first else TensorAgreement()


def _is_binary(values: np.ndarray) -> bool:
    """Whether numbers are probabilities that are mostly sure, on both sides of one half."""
    values = np.asarray(values)
    if values.min() < 0 or values.max() > 1:
        return False
    return bool(((values < 0.1) | (values > 0.9)).mean() > 0.5 and (values >= 0.5).any())


class LabelAgreement:
    """Mean IoU of labels over the classes that the reference has."""

    name = "mIoU of labels"

    def record(self, reference: Decoded, found: Decoded) -> Record:
        """Shared and united pixels by class."""
        one, other = (np.asarray(each["label_map"]).ravel().astype(np.int64) for each in (reference, found))
        count = int(max(one.max(), other.max())) + 1
        table = np.bincount(one * count + other, minlength=count * count).reshape(count, count)
        return np.stack([table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal(), table.sum(1)])

    def total(self, records: Sequence[Record]) -> float:
        """Mean over classes of the sums."""
        count = max(record.shape[1] for record in records)
        shared, united, there = sum(
            np.pad(record, [(0, 0), (0, count - record.shape[1])]) for record in records
        )
        return float((shared[there > 0] / united[there > 0]).mean())


class BoxAgreement:
    """AP at IoU 0.5, of the boxes of all classes together; a box agrees with one of its own class only."""

    name = "AP at IoU 0.5"

    def __init__(self, threshold: float = 0.5):
        self._threshold = threshold

    def record(self, reference: Decoded, found: Decoded) -> Record:
        """Scores, whether each is right, and how many boxes there are."""
        sure = np.asarray(reference.get("scores", np.ones(len(reference["boxes"])))) >= self._threshold
        labels = np.asarray(reference.get("labels", np.zeros(len(sure))))
        return hits(np.asarray(reference["boxes"]).reshape(-1, 4)[sure], labels[sure], found)

    def total(self, records: Sequence[Record]) -> float:
        """Average precision over all frames."""
        return average_precision(records)


class BinaryAgreement:
    """F1 of a map of probabilities at one half."""

    name = "F1 of the map"

    def record(self, reference: Decoded, found: Decoded) -> Record:
        """Right, of the reference, and found pixels."""
        one, other = np.asarray(reference["map"]) >= 0.5, np.asarray(found["map"]) >= 0.5
        return np.array([(one & other).sum(), one.sum(), other.sum()])

    def total(self, records: Sequence[Record]) -> float:
        """F1 over all frames; 1 where both find nothing."""
        right, there, found = np.sum(records, 0)
        return float(2 * right / (there + found)) if there + found else 1.0


class ClassAgreement:
    """Share of frames with the same likeliest class."""

    name = "same class"

    def record(self, reference: Decoded, found: Decoded) -> Record:
        """1 where they are the same."""
        return float(reference["classes"][0] == found["classes"][0])

    def total(self, records: Sequence[Record]) -> float:
        """Their share."""
        return float(np.mean(records))


class TensorAgreement:
    """1 − relative squared error (error over the variance of the reference), the mean over the tensors."""

    name = "1 − relative squared error"

    def record(self, reference: Decoded, found: Decoded) -> Record:
        """By tensor: error, sum, sum of squares, and count of the reference."""
        one, other = _tensors(reference), _tensors(found)
        return np.array([_sums(one[name], other[name]) for name in one])

    def total(self, records: Sequence[Record]) -> float:
        """Not below 0."""
        error, total, squares, count = np.sum(records, 0).T
        spread = np.maximum(squares - total**2 / count, 1e-12)
        return float(np.maximum(1 - error / spread, 0).mean())


def _tensors(decoded: Decoded) -> Mapping[str, np.ndarray]:
    return {"map": decoded["map"]} if "map" in decoded else decoded["tensors"]


def _sums(one: np.ndarray, other: np.ndarray) -> tuple[float, float, float, float]:
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if one.shape != other.shape:
        raise ValueError(
            f"the outputs of two frames have shapes {one.shape} and {other.shape}; plain tensors are "
            "compared number by number: name a decoder, or an adapter whose decode "
            "returns boxes, labels or a map"
        )
    return float(((one - other) ** 2).sum()), float(one.sum()), float((one**2).sum()), float(one.size)
