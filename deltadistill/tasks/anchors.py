"""Single-stage detection: maps of class logits and box offsets, read at the anchors of every level.

Anchors, what they are to learn, the loss and the boxes are those of the package effdet, as EfficientDet was
published with (Tan et al., arXiv 1911.09070, §4): focal loss of the classes, Huber loss of the offsets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.data.boxes import UNKNOWN, Detections
from deltadistill.forward.half_precision import in_single_precision
from deltadistill.models.anchor_layout import AnchorLayout
from deltadistill.models.efficientdet import import_effdet
from deltadistill.tasks.suppression import Suppression

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 1.5
HUBER_DELTA, BOX_WEIGHT = 0.1, 50.0
SOFT_FOCAL_BETA = 2.0  # of the imitation loss
SURE = 0.5  # score from which a teacher takes an anchor for an object
_IGNORED = -2  # of a class target: effdet counts no loss

Maps = tuple[Sequence[Tensor], Sequence[Tensor]]
"""Class logits (N, A·C, h, w) and box offsets (N, A·4, h, w) of every level, A anchors per position."""


@dataclass(frozen=True)
class AnchorTargets:
    """What the anchors of N frames are to say, per level: classes (N, h, w, A), −1 for none, and offsets
    (N, h, w, A·4). `extent` is the number of anchors that are to find an object, float64.
    """

    classes: Sequence[Tensor]
    offsets: Sequence[Tensor]
    extent: Tensor


class AnchorMaps:
    """Reads the outputs of single-stage detectors, which carry an AnchorLayout as `anchors`."""

    def image_size(self, network: nn.Module) -> tuple[int, int]:
        """(height, width) of the frames that the anchors are for, the only ones that it takes."""
        height, width = _layout(network).image_size
        return height, width

    def anchor_grids(self, network: nn.Module, size: tuple[int, int], device: torch.device) -> list[Tensor]:
        """Boxes of the anchors in frames of `size`, per level: (h, w, A, 4)."""
        layout = _layout(network)
        if size != self.image_size(network):
            raise ValueError(f"the network's anchors are for frames of {layout.image_size}, got {size}")
        boxes = _anchor_boxes(layout, device)[:, [1, 0, 3, 2]]
        counts = [height * width * layout.per_position for height, width in layout.level_sizes]
        return [
            level.view(*extents, -1, 4)
            for level, extents in zip(boxes.split(counts), layout.level_sizes, strict=True)
        ]

    def targets(self, references: Tensor, network: nn.Module) -> AnchorTargets:
        """Match boxes (N, M, 5), see data.box_lists, with anchors."""
        layout = _layout(network)
        labeler = _labeler(layout, references.device)
        per_frame = [_frame_targets(labeler, boxes) for boxes in references]
        classes, offsets, counts = zip(*per_frame, strict=True)
        return AnchorTargets(
            [torch.stack(level) for level in zip(*classes, strict=True)],
            [torch.stack(level) for level in zip(*offsets, strict=True)],
            torch.stack(counts).sum().double(),
        )

    def loss(self, output: Maps, targets: AnchorTargets, network: nn.Module, of: Tensor) -> Tensor:
        """Focal and Huber loss of the maps, divided by the extent `of` and one."""
        (logits, offsets), layout = output, _layout(network)
        _require_levels(logits, layout)
        return _effdet("loss").loss_fn(
            list(logits),
            list(offsets),
            targets.classes,
            targets.offsets,
            of.reshape(1),
            num_classes=logits[0].shape[1] // layout.per_position,
            alpha=FOCAL_ALPHA,
            gamma=FOCAL_GAMMA,
            delta=HUBER_DELTA,
            box_loss_weight=BOX_WEIGHT,
        )[0]

    def imitation_loss(
        self, output: Maps, teacher_output: Maps, network: nn.Module, teacher: nn.Module
    ) -> Tensor:
        """Loss against the teacher's scores and offsets, mean over frames; 0 where both are the same.

        Focal loss with the teacher's scores as soft labels (Li et al., Generalized Focal Loss, NeurIPS 2020),
        and the Huber loss of the offsets, weighted by how sure the teacher is of the anchor. Each frame's is
        divided by the number of anchors that the teacher takes for objects, and one.
        """
        per_position = _layout(network).per_position
        logits, offsets = _flat(output, per_position)
        taught, taught_offsets = _flat(teacher_output, per_position)
        scores = taught.sigmoid()
        focus = (scores - logits.sigmoid()).abs() ** SOFT_FOCAL_BETA
        entropy = F.binary_cross_entropy_with_logits(taught, scores, reduction="none")
        classes = focus * (F.binary_cross_entropy_with_logits(logits, scores, reduction="none") - entropy)
        surest = scores.max(-1).values
        boxes = F.huber_loss(offsets, taught_offsets, reduction="none", delta=HUBER_DELTA).mean(-1) * surest
        anchors = (surest >= SURE).sum(1) + 1
        return ((classes.sum((1, 2)) + BOX_WEIGHT * boxes.sum(1)) / anchors).mean()

    def predict(self, output: Maps, network: nn.Module, suppression: Suppression) -> list[Detections]:
        """Boxes of each frame by itself: the surest anchors, cut off at the image, doubles suppressed."""
        layout = _layout(network)
        _require_levels(output[0], layout)
        logits, offsets = _flat(output, layout.per_position)
        anchors = _anchor_boxes(layout, logits.device)
        return [
            _frame_detections(*frame, anchors, layout, suppression)
            for frame in zip(logits.sigmoid(), offsets, strict=True)
        ]


def _layout(network: nn.Module) -> AnchorLayout:
    return cast(AnchorLayout, network.anchors)


def _frame_detections(
    scores: Tensor, offsets: Tensor, anchors: Tensor, layout: AnchorLayout, suppression: Suppression
) -> Detections:
    """Scores (K, C) and offsets (K, 4) of all anchors (K, 4) of one frame to boxes."""
    found, places = suppression.candidates_of(scores.flatten())
    anchor, classes = places // scores.shape[1], places % scores.shape[1]
    boxes = _effdet("anchors").decode_box_outputs(offsets[anchor], anchors[anchor], output_xyxy=True)
    return suppression.detections(boxes, found, classes, layout.image_size)


def _flat(output: Maps, per_position: int) -> tuple[Tensor, Tensor]:
    """All levels' maps one after another, in the order of the anchors: (N, K, C) and (N, K, 4)."""
    logits, offsets = output
    classes = logits[0].shape[1] // per_position
    flat = [
        [in_single_precision(level.permute(0, 2, 3, 1).reshape(len(level), -1, width)) for level in maps]
        for maps, width in ((logits, classes), (offsets, 4))
    ]
    return torch.cat(flat[0], 1), torch.cat(flat[1], 1)


def _frame_targets(labeler: Any, boxes: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Targets of one frame's boxes (M, 5); all classes ignored where the frame is not annotated."""
    anchors = labeler.anchors
    known = boxes[boxes[:, 4] >= 0]
    if len(known):
        # effdet takes y before x, and classes from 1
        return labeler.label_anchors(known[:, [1, 0, 3, 2]], known[:, 4] + 1, filter_valid=False)
    nothing = _IGNORED if (boxes[:, 4] == UNKNOWN).any() else -1
    classes, offsets = [], []
    for height, width in anchors.feat_sizes[anchors.min_level : anchors.max_level + 1]:
        shape = (height, width, anchors.get_anchors_per_location())
        classes.append(torch.full(shape, nothing, device=boxes.device))
        offsets.append(boxes.new_zeros(height, width, 4 * shape[2]))
    return classes, offsets, boxes.new_zeros(())


def _require_levels(logits: Sequence[Tensor], layout: AnchorLayout) -> None:
    sizes = [tuple(level.shape[-2:]) for level in logits]
    if sizes != layout.level_sizes:
        raise ValueError(
            f"the network's maps are {sizes}, its anchors are for {layout.level_sizes}; frames must have its "
            f"image_size, {layout.image_size[0]}×{layout.image_size[1]}"
        )


@lru_cache(maxsize=8)
def _effdet_anchors(layout: AnchorLayout, device: torch.device) -> nn.Module:
    settings = (*layout.levels, layout.octaves, list(layout.shapes), layout.scale, tuple(layout.image_size))
    return _effdet("anchors").Anchors(*settings).to(device)


def _anchor_boxes(layout: AnchorLayout, device: torch.device) -> Tensor:
    """y0, x0, y1, x1 of all anchors (K, 4)."""
    return cast(Tensor, _effdet_anchors(layout, device).boxes)


@lru_cache(maxsize=8)
def _labeler(layout: AnchorLayout, device: torch.device) -> Any:
    anchors = _effdet_anchors(layout, device)
    return _effdet("anchors").AnchorLabeler(anchors, num_classes=0)  # which it keeps and never asks for


@cache
def _effdet(part: str) -> ModuleType:
    """A module of effdet, see import_effdet."""
    import_effdet()
    return import_module(f"effdet.{part}")
