"""From many scored boxes of one frame to few: the surest ones, and of doubles the surest alone."""

from dataclasses import dataclass

from torch import Tensor

from deltadistill.data.boxes import Detections


@dataclass(frozen=True)
class Suppression:
    """Of boxes of a class that overlap with an IoU above `max_iou` only the surest stays.

    Boxes with a score below `min_score` are dropped at once; at most `candidates` of the others are looked
    at, and at most `max_detections` stay, the surest of the frame.
    """

    min_score: float
    max_iou: float
    candidates: int
    max_detections: int

    def candidates_of(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """The surest of scores (K,), falling, and their places."""
        places = (scores >= self.min_score).nonzero()[:, 0]
        order = scores[places].argsort(descending=True, stable=True)[: self.candidates]
        return scores[places[order]], places[order]

    def detections(self, boxes: Tensor, scores: Tensor, classes: Tensor, size: tuple[int, int]) -> Detections:
        """Boxes (K, 4), cut off at an image of `size` (height, width), without doubles and empty ones."""
        from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

        boxes = clip_boxes_to_image(boxes, size)
        kept = remove_small_boxes(boxes, 1e-3)
        boxes, scores, classes = boxes[kept], scores[kept], classes[kept]
        kept = batched_nms(boxes, scores, classes, self.max_iou)[: self.max_detections]
        return Detections(*(values[kept].detach().cpu().numpy() for values in (boxes, scores, classes)))
