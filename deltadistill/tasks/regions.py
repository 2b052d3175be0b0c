"""Two-stage detection: proposals that a first stage makes of a frame, judged by a second.

Ren et al., Faster R-CNN, arXiv 1506.01497, by torchvision's matching, sampling and losses. Proposals and
boxes are worked out for every frame by itself, from that frame's maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.data.boxes import UNKNOWN, Detections
from deltadistill.models.faster_rcnn import FasterRCNN, Maps, flat_maps
from deltadistill.tasks.suppression import Suppression

SMOOTH_BETA = 1 / 9  # of the loss of offsets: squared below, linear above
SURE = 0.5  # score from which a teacher takes an anchor for an object

Wanted = dict[str, Tensor]
"""A frame's objects as torchvision takes them: "boxes" (n, 4) and "labels" (n,), of which 0 is background."""


@dataclass(frozen=True)
class RegionTargets:
    """The objects of N frames, in pixels of the frames; bool (N,) which of the frames are annotated."""

    objects: Sequence[Wanted]
    annotated: Tensor

    @property
    def extent(self) -> Tensor:
        """The number of annotated frames, float64."""
        return self.annotated.sum().double()


class Regions:
    """Reads the maps of models.faster_rcnn."""

    def image_size(self, network: FasterRCNN) -> None:
        """Frames may have any size."""

    def anchor_grids(self, network: FasterRCNN, size: tuple[int, int], device: torch.device) -> list[Tensor]:
        """Boxes of the anchors in frames of `size`, of the one map there is: (h, w, A, 4)."""
        return [network.anchor_grid(size).to(device)]

    def targets(self, references: Tensor, network: FasterRCNN) -> RegionTargets:
        """The objects of boxes (N, M, 5), see data.box_lists."""
        known = [boxes[boxes[:, 4] >= 0] for boxes in references]
        objects = [{"boxes": boxes[:, :4], "labels": boxes[:, 4].long() + 1} for boxes in known]
        return RegionTargets(objects, (references[:, :, 4] != UNKNOWN).all(1))

    def loss(self, output: Maps, targets: RegionTargets, network: FasterRCNN, of: Tensor) -> Tensor:
        """Torchvision's four losses, divided by the number of frames `of`.

        Of each frame, anchors and proposals are drawn at random by PyTorch's generator; its losses are means
        over those. Torchvision's are means over those of all frames, the same where frames have equally many.
        """
        wanted = _resized(targets.objects, output["sizes"])
        proposals = network.propose(output, at_most=network.proposals_in_training)
        losses = _anchor_losses(output, wanted, network)
        losses = losses + _region_losses(output["features"], proposals, wanted, network)
        return (losses * targets.annotated).sum() / of.clamp(min=1).to(losses)

    def imitation_loss(
        self, output: Maps, teacher_output: Maps, network: FasterRCNN, teacher: FasterRCNN
    ) -> Tensor:
        """Loss against what the teacher says of its anchors and its proposals, mean over frames.

        Anchors: cross-entropy with the teacher's scores, less its least possible value, and the loss of
        offsets weighted by the scores; divided by the number of anchors that the teacher takes for objects,
        and one. Proposals: KL divergence of the classes, and the loss of each class's offsets weighted by
        the teacher's probability of it; mean over the proposals.
        """
        regions = teacher.propose(teacher_output, at_most=teacher.proposals)
        with torch.no_grad():
            taught = teacher.judge(teacher_output["features"], regions)
        judged = network.judge(output["features"], regions)
        share = torch.cat([torch.full((len(r),), 1 / max(len(r), 1)) for r in regions]).to(judged[0])
        proposals = (_region_distances(*judged, *taught) * share).sum() / len(regions)
        return _anchor_distances(*flat_maps(output), *flat_maps(teacher_output)).mean() + proposals

    @torch.no_grad()
    def predict(self, output: Maps, network: FasterRCNN, suppression: Suppression) -> list[Detections]:
        """Boxes of each frame by itself: its proposals, moved and named, doubles suppressed."""
        regions = network.propose(output, at_most=network.proposals)
        logits, offsets = network.judge(output["features"], regions)
        scores = logits.float().softmax(-1)[:, 1:]
        boxes = network.roi_heads.box_coder.decode(offsets.float(), regions)[:, 1:]
        counts = [len(frame) for frame in regions]
        per_frame = zip(scores.split(counts), boxes.split(counts), output["sizes"].tolist(), strict=True)
        return [_frame_detections(*frame, suppression) for frame in per_frame]


def _frame_detections(
    scores: Tensor, boxes: Tensor, sizes: Sequence[Sequence[int]], suppression: Suppression
) -> Detections:
    """Scores (n, C) and boxes (n, C, 4) of one frame's regions, in pixels of the resized frame."""
    found, places = suppression.candidates_of(scores.flatten())
    (height, width), resized = sizes
    boxes = boxes.flatten(0, 1)[places] * _factors(resized, (height, width)).to(boxes)
    return suppression.detections(boxes, found, places % scores.shape[1], (height, width))


def _factors(before: Sequence[int], after: Sequence[int]) -> Tensor:
    """What x0, y0, x1, y1 are multiplied by when a frame of one (height, width) is resized to another."""
    down, across = (new / old for old, new in zip(before, after, strict=True))
    return torch.tensor([across, down, across, down])


def _resized(objects: Sequence[Wanted], sizes: Tensor) -> list[Wanted]:
    return [
        wanted | {"boxes": wanted["boxes"] * _factors(*of_frame).to(wanted["boxes"])}
        for wanted, of_frame in zip(objects, sizes.tolist(), strict=True)
    ]


def _anchor_losses(maps: Maps, wanted: Sequence[Wanted], network: FasterRCNN) -> Tensor:
    """Loss of objectness and offsets of each frame's drawn anchors: (N,)."""
    rpn, anchors = network.rpn, [network.anchor_boxes(maps["features"])] * len(wanted)
    labels, boxes = rpn.assign_targets_to_anchors(anchors, wanted)
    offsets = rpn.box_coder.encode(boxes, anchors)
    frames = zip(*flat_maps(maps), labels, offsets, strict=True)
    return torch.stack([sum(rpn.compute_loss(o, d, [label], [to])) for o, d, label, to in frames])


def _region_losses(
    features: Tensor, proposals: Sequence[Tensor], wanted: Sequence[Wanted], network: FasterRCNN
) -> Tensor:
    """Loss of classes and offsets of each frame's drawn proposals: (N,)."""
    from torchvision.models.detection.roi_heads import fastrcnn_loss

    regions, _, labels, offsets = network.roi_heads.select_training_samples(list(proposals), wanted)
    judged = network.judge(features, regions)
    counts = [len(frame) for frame in regions]
    frames = zip(*(values.float().split(counts) for values in judged), labels, offsets, strict=True)
    return torch.stack([sum(fastrcnn_loss(c, d, [label], [to])) for c, d, label, to in frames])


def _anchor_distances(logits: Tensor, offsets: Tensor, taught: Tensor, taught_offsets: Tensor) -> Tensor:
    """Logits (N, K) and offsets (N, K, 4) against the teacher's: (N,)."""
    scores = taught.sigmoid()
    crossed = F.binary_cross_entropy_with_logits(logits, scores, reduction="none")
    least = F.binary_cross_entropy_with_logits(taught, scores, reduction="none")
    moved = scores * _offset_loss(offsets, taught_offsets)
    return (crossed - least + moved).sum(1) / ((scores >= SURE).sum(1) + 1)


def _region_distances(logits: Tensor, offsets: Tensor, taught: Tensor, taught_offsets: Tensor) -> Tensor:
    """Logits (R, C + 1) and offsets (R, 4 · (C + 1)) against the teacher's: (R,)."""
    logs = taught.float().log_softmax(-1)
    scores = logs.exp()
    divergence = (scores * (logs - logits.float().log_softmax(-1))).sum(-1)
    moved = _offset_loss(offsets.float().unflatten(1, (-1, 4)), taught_offsets.float().unflatten(1, (-1, 4)))
    return divergence + (scores * moved)[:, 1:].sum(-1)


def _offset_loss(offsets: Tensor, wanted: Tensor) -> Tensor:
    return F.smooth_l1_loss(offsets, wanted, beta=SMOOTH_BETA, reduction="none").sum(-1)
