"""Temporal consistency of boxes: do the detections of one object agree from frame to frame?

The measure is ours; it follows that of label maps (agreement_of_labels.py), with an object's true motion
in the place of optical flow. For every track that has a box in two successive frames, the detection of the
object in the frame before is carried along with it: shifted and scaled as the object's true box was. Its IoU
with the detection in the current frame is the pair's agreement; 0 if the object was detected in one of the
two only. A pair in which it was detected in neither does not count, but lowers the coverage. Repeating a
detection is steady only where objects stand still.
"""

import numpy as np

from deltadistill.data.boxes import NO_TRACK, NOTHING, Detections, Objects, iou_matrix, match

_UNIT = 2.0**-40  # of an agreement, which is a whole number of them, so that in no order a sum is rounded


class BoxConsistency:
    """Sums agreements over pairs of successive frames.

    An object is detected by the surest detection of its class that overlaps it with an IoU of at least
    `min_iou` and has a score of at least `min_score`; a detection belongs to one object.
    """

    def __init__(self, *, min_score: float, min_iou: float = 0.5) -> None:
        self.min_score, self.min_iou = min_score, min_iou
        self._agreement = self._counted = self._pairs = 0

    def update(self, before: tuple[Detections, Objects], now: tuple[Detections, Objects]) -> None:
        """Count the tracks of two successive frames of a clip, each given as detections and true objects."""
        then, current = (self._detected(*frame) for frame in (before, now))
        source, target = (true_boxes(objects) for _, objects in (before, now))
        for track in source.keys() & target.keys():
            self._pairs += 1
            if track not in then and track not in current:
                continue
            self._counted += 1
            if track in then and track in current:
                moved = carry(then[track], source[track], target[track])
                self._agreement += round(iou_matrix(moved[None], current[track][None]).item() / _UNIT)

    def state(self) -> tuple[int, int, int] | None:
        """Return all that was counted, or None where that is nothing."""
        return (self._agreement, self._counted, self._pairs) if self._pairs else None

    def add(self, state: tuple[int, int, int]) -> None:
        """Count what another one has counted, whose state this is."""
        agreement, counted, pairs = state
        self._agreement += agreement
        self._counted += counted
        self._pairs += pairs

    def percent(self) -> float:
        """Return the mean agreement of the pairs that counted, in percent; NaN when none did."""
        return 100 * self._agreement * _UNIT / self._counted if self._counted else float("nan")

    def coverage_percent(self) -> float:
        """Return the share of pairs that counted, in percent; NaN before the first."""
        return 100 * self._counted / self._pairs if self._pairs else float("nan")

    def _detected(self, found: Detections, objects: Objects) -> dict[int, np.ndarray]:
        """Track → box of the detection of it."""
        numbers = match(found, objects, min_iou=self.min_iou)
        # an unsure detection, which chose last, has taken no object from a sure one
        counts = (numbers != NOTHING) & (found.scores >= self.min_score)
        detected = {
            int(track): box.astype(np.float64)
            for track, box in zip(objects.tracks[numbers[counts]], found.boxes[counts], strict=True)
        }
        detected.pop(NO_TRACK, None)
        return detected


def true_boxes(objects: Objects) -> dict[int, np.ndarray]:
    """Track → box of the objects whose track is known."""
    return {
        int(track): box.astype(np.float64)
        for track, box in zip(objects.tracks, objects.boxes, strict=True)
        if track != NO_TRACK
    }


def carry(box: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The box (4,) shifted and scaled as `source` must be to become `target`, both with an area."""
    scale = (target[2:] - target[:2]) / (source[2:] - source[:2])
    shift = target[:2] - source[:2] * scale
    return box * np.tile(scale, 2) + np.tile(shift, 2)
