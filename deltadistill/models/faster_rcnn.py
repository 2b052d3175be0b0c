"""Faster R-CNN (Ren et al., arXiv 1506.01497) on a ResNet-101 whose last stage is dilated, from torchvision.

The published network of delta distillation: one feature map at 1/16 with 512 channels serves the proposals
(12 anchors per position) and the heads of 30 object classes.
"""

from __future__ import annotations

# torchvision's detectors take seconds to import, and few users of the other networks need them: the functions
# that build import them.
from collections import OrderedDict
from collections.abc import Sequence
from math import ceil, floor
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.models.dilated_resnet import build_body
from deltadistill.models.layers import check_sizes

if TYPE_CHECKING:
    from torchvision.models.detection.roi_heads import RoIHeads
    from torchvision.models.detection.rpn import RegionProposalNetwork

STRIDE = 16  # pixels per position of the feature map
ANCHOR_SCALES = (4, 8, 16, 32)  # side of the square anchors, in strides
ANCHOR_RATIOS = (0.5, 1.0, 2.0)  # height over width
FEATURES, ROI_SIZE, BOX_FEATURES = 512, 7, 1024  # channels, positions, channels
BOX_WEIGHTS = (5.0, 5.0, 5.0, 5.0)  # one over the standard deviation of box offsets, 0.2
SHORT_SIDE, LONG_SIDE = 600, 1000  # pixels
CANDIDATES = 6000  # anchors of a frame that are looked at for proposals
PROPOSALS, PROPOSALS_IN_TRAINING = 300, 1000  # per frame
MAX_IOU = 0.7  # of two proposals that overlap more, only the surer stays
SMALLEST = 1e-3  # pixels: proposals with a shorter side are dropped
LAYERS_101, WIDTH = (3, 4, 23, 3), 64  # residual blocks per stage, channels of the stem

Maps = dict[str, Tensor]
"""What the first stage makes of N frames: "features" (N, C, h, w), "objectness" logits (N, A, h, w) and
"offsets" (N, A·4, h, w) of the A anchors at each position, and "sizes" (N, 2, 2): (height, width) in pixels,
of the frame and then as the network resized it."""


def build_r101(
    *,
    classes: int,
    short_side: int = SHORT_SIDE,
    long_side: int = LONG_SIDE,
    features: int = FEATURES,
    box_features: int = BOX_FEATURES,
    layers: Sequence[int] = LAYERS_101,
    width: int = WIDTH,
    anchor_scales: Sequence[float] = ANCHOR_SCALES,
    proposals: int = PROPOSALS,
    proposals_in_training: int = PROPOSALS_IN_TRAINING,
) -> FasterRCNN:
    """Build the detector of `classes` objects, without weights; label 0 is the background.

    It resizes frames to `short_side` unless the long side would exceed `long_side`, and pads them with zeros
    to multiples of 16; give both sides of the data set's frames, and nothing is resized. So many `proposals`
    per frame reach the heads at most, in training `proposals_in_training`. The other options make smaller
    networks of the family: `layers` counts the residual blocks of the four stages, `width` the channels of
    the stem (the body ends with 32 times as many), `features` and `box_features` those of the map that the
    heads read and of the heads themselves; `anchor_scales` are the sides of the square anchors, in strides of
    16 pixels. Raises ValueError for options of another kind.
    """
    from torchvision.models.detection.transform import GeneralizedRCNNTransform

    check_sizes(classes=classes, short_side=short_side, long_side=long_side, width=width)
    check_sizes(features=features, box_features=box_features)
    check_sizes(proposals=proposals, proposals_in_training=proposals_in_training)
    _check_lists(layers, anchor_scales)
    if short_side > long_side:
        raise ValueError(f"short_side {short_side} exceeds long_side {long_side}; exchange them")
    neck = nn.Sequential(nn.Conv2d(32 * width, features, 3, padding=1), nn.ReLU())
    body = build_body(layers, width=width)
    return FasterRCNN(
        GeneralizedRCNNTransform(
            short_side, long_side, image_mean=[0.0] * 3, image_std=[1.0] * 3, size_divisible=STRIDE
        ),
        nn.Sequential(OrderedDict(body=body, neck=neck)),
        _proposals(features, anchor_scales, proposals, proposals_in_training),
        _heads(features, box_features, classes),
        proposals=proposals,
        proposals_in_training=proposals_in_training,
    )


class FasterRCNN(nn.Module):
    """The detector, of torchvision's parts.

    Its forward is torchvision's: a batch or a list of normalised frames (3, H, W) to one dictionary per
    frame, "boxes" (n, 4) in pixels of the frame, "labels" (n,), "scores" (n,); in training mode, with
    targets, to four losses. `frame_outputs` gives what stands before the choice of proposals, with frames
    first, and `propose` and `judge` go on from there, frame by frame.
    """

    excluded_layers = ("backbone.body.conv1", "rpn.head.cls_logits", "rpn.head.bbox_pred")
    parts: ClassVar = {
        "backbone.body": "body",
        "backbone.neck": "neck",
        "rpn": "proposals",
        "roi_heads": "head",
    }
    head_features = "backbone"  # whose output the heads read

    def __init__(
        self,
        transform: nn.Module,
        backbone: nn.Module,
        rpn: RegionProposalNetwork,
        roi_heads: RoIHeads,
        *,
        proposals: int,
        proposals_in_training: int,
    ) -> None:
        super().__init__()
        self.transform = transform
        self.backbone = backbone
        self.rpn = rpn
        self.roi_heads = roi_heads
        self.proposals, self.proposals_in_training = proposals, proposals_in_training

    def forward(
        self, frames: Tensor | Sequence[Tensor], targets: Sequence[dict[str, Tensor]] | None = None
    ) -> Any:
        """Detect in each frame; in training mode compare with targets ("boxes" (n, 4), "labels" (n,))."""
        sizes = [tuple(frame.shape[-2:]) for frame in frames]
        images, targets = self.transform(list(frames), targets)
        features = {"0": self.backbone(images.tensors)}
        proposals, proposal_losses = self.rpn(images, features, targets)
        detections, head_losses = self.roi_heads(features, proposals, images.image_sizes, targets)
        if self.training:
            return head_losses | proposal_losses
        return self.transform.postprocess(detections, images.image_sizes, sizes)

    def frame_outputs(self, frames: Tensor) -> Maps:
        """The first stage alone: maps of frames (N, 3, H, W), from which proposals are still to be chosen."""
        size, resized = tuple(frames.shape[-2:]), self.resized_size(frames.shape[-2:])
        features = self.backbone(_padded(frames, resized))
        (objectness,), (offsets,) = self.rpn.head([features])
        sizes = torch.tensor([size, resized], device=frames.device)
        return {
            "features": features,
            "objectness": objectness,
            "offsets": offsets,
            "sizes": sizes.expand(frames.shape[0], 2, 2),  # len would fix the number in an exported graph
        }

    def resized_size(self, size: Sequence[int]) -> tuple[int, int]:
        """(height, width) in pixels to which frames of `size` are resized."""
        return _resized_size(self.transform, size)

    def anchor_boxes(self, features: Tensor) -> Tensor:
        """Boxes of the anchors of a map (N, C, h, w), in pixels of the resized frame: (h·w·A, 4)."""
        generator = self.rpn.anchor_generator
        generator.set_cell_anchors(torch.float32, features.device)
        (boxes,) = generator.grid_anchors([features.shape[-2:]], [[STRIDE, STRIDE]])
        return boxes

    def anchor_grid(self, size: tuple[int, int]) -> Tensor:
        """Boxes of the anchors in pixels of frames of `size` (height, width): (h, w, A, 4)."""
        height, width = self.resized_size(size)
        rows, columns = (ceil(extent / STRIDE) for extent in (height, width))
        boxes = self.anchor_boxes(self.rpn.head.cls_logits.weight.new_empty(1, 1, rows, columns))
        factors = boxes.new_tensor([size[1] / width, size[0] / height] * 2)
        return (boxes * factors).view(rows, columns, -1, 4)

    @torch.no_grad()
    def propose(self, maps: Maps, *, at_most: int) -> list[Tensor]:
        """The surest proposals of each frame by itself, (n, 4) in pixels of the resized frame."""
        from torchvision.ops import clip_boxes_to_image, nms, remove_small_boxes

        objectness, offsets = flat_maps(maps)
        anchors = self.anchor_boxes(maps["features"])
        found = []
        for scores, moves, (_, size) in zip(
            objectness.sigmoid(), offsets, maps["sizes"].tolist(), strict=True
        ):
            scores, places = scores.topk(min(CANDIDATES, len(scores)))
            boxes = self.rpn.box_coder.decode(moves[places], [anchors[places]])[:, 0]
            boxes = clip_boxes_to_image(boxes, size)
            large = remove_small_boxes(boxes, SMALLEST)
            boxes, scores = boxes[large], scores[large]
            found.append(boxes[nms(boxes, scores, MAX_IOU)[:at_most]])
        return found

    def judge(self, features: Tensor, regions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The second stage: class logits (R, classes + 1), and offsets (R, 4 · (classes + 1)).

        regions: boxes (n, 4) of each frame, in pixels of the resized frame; R is their number in all frames.
        """
        heads = self.roi_heads
        wide = torch.promote_types(features.dtype, torch.float32)  # in half precision boxes would move
        crops = heads.box_roi_pool({"0": features.to(wide)}, [boxes.to(wide) for boxes in regions], [])
        return heads.box_predictor(heads.box_head(crops.to(heads.box_predictor.cls_score.weight.dtype)))

    def fixed_shapes(self) -> FixedShapes:
        """What stands for the detector where MACs are counted."""
        return FixedShapes(self, proposals=self.proposals, resize=True)


def _resized_size(transform: nn.Module, size: Sequence[int]) -> tuple[int, int]:
    scale = min(transform.min_size[-1] / min(size), transform.max_size / max(size))
    return tuple(floor(extent * scale) for extent in size)


def _padded(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Frames resized, and filled with zeros below and right; as the transform does, but all at once."""
    if tuple(frames.shape[-2:]) != size:
        frames = F.interpolate(frames, size=size, mode="bilinear", align_corners=False)
    return F.pad(frames, (0, -size[1] % STRIDE, 0, -size[0] % STRIDE))


def flat_maps(maps: Maps) -> tuple[Tensor, Tensor]:
    """Logits (N, K) and offsets (N, K, 4) in the order of the K anchors."""
    return tuple(
        values.unflatten(1, (-1, width))
        .permute(0, 3, 4, 1, 2)
        .reshape(len(values), -1, width)
        .float()
        .squeeze(-1)
        for values, width in ((maps["objectness"], 1), (maps["offsets"], 4))
    )


def _check_lists(layers: Sequence[int], anchor_scales: Sequence[float]) -> None:
    if not isinstance(layers, Sequence) or len(layers) != 4:
        raise ValueError(
            f"layers counts the residual blocks of four stages, such as [3, 4, 23, 3]; got {layers!r}"
        )
    check_sizes(**{f"layers[{stage}]": blocks for stage, blocks in enumerate(layers)})
    numbers = isinstance(anchor_scales, Sequence) and all(isinstance(s, int | float) for s in anchor_scales)
    if not numbers or not anchor_scales or min(anchor_scales) <= 0:
        raise ValueError(
            f"anchor_scales lists lengths above 0, in strides of 16 pixels; got {anchor_scales!r}"
        )


def _proposals(
    features: int, anchor_scales: Sequence[float], kept: int, kept_in_training: int
) -> RegionProposalNetwork:
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

    sizes = tuple(STRIDE * scale for scale in anchor_scales)
    anchors = AnchorGenerator((sizes,), (ANCHOR_RATIOS,))
    return RegionProposalNetwork(
        anchors,
        RPNHead(features, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=256,
        positive_fraction=0.5,
        pre_nms_top_n={"training": CANDIDATES, "testing": CANDIDATES},
        post_nms_top_n={"training": kept_in_training, "testing": kept},
        nms_thresh=MAX_IOU,
    )


def _heads(features: int, box_features: int, classes: int) -> RoIHeads:
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.roi_heads import RoIHeads

    return RoIHeads(
        RoIAlign(),
        TwoMLPHead(features * ROI_SIZE**2, box_features),
        FastRCNNPredictor(box_features, classes + 1),
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=512,
        positive_fraction=0.25,
        bbox_reg_weights=BOX_WEIGHTS,
        score_thresh=1e-4,
        nms_thresh=0.5,
        detections_per_img=100,
    )


class RoIAlign(nn.Module):
    """Crop the single feature map at the proposals, half-pixel aligned, at a fixed stride.

    torchvision's own module guesses the stride from the sizes of the map and does not align.
    """

    def __init__(self) -> None:
        from torchvision.ops import RoIAlign as SingleMapRoIAlign

        super().__init__()
        self.crop = SingleMapRoIAlign(ROI_SIZE, 1 / STRIDE, sampling_ratio=2, aligned=True)

    def forward(
        self, features: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> Tensor:
        """Map one (N, C, h, w) and N times (n, 4), in pixels, to (all proposals, C, 7, 7)."""
        (single,) = features.values()
        return self.crop(single, boxes)


class FixedShapes(nn.Module):
    """The parts of a detector whose shapes the frame's size decides, to count MACs without tensor values.

    Which proposals survive depends on values; here `proposals` of them reach the heads, as many as
    evaluation keeps at most. The modules are the detector's own under their own names, converted or not.
    resize: whether to resize and pad frames as the detector does, or to take them as they are.
    """

    def __init__(self, detector: FasterRCNN, *, proposals: int = PROPOSALS, resize: bool = False) -> None:
        super().__init__()
        check_sizes(proposals=proposals)
        self.transform = detector.transform if resize else None
        self.backbone = detector.backbone
        self.rpn = detector.rpn
        self.roi_heads = detector.roi_heads
        self.proposals = proposals

    def forward(self, frame: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
        """Map frames (N, 3, H, W) to objectness, anchor offsets, class logits and box offsets."""
        if self.transform is not None:
            frame = _padded(frame, _resized_size(self.transform, frame.shape[-2:]))
        features = self.backbone(frame)
        objectness, anchor_offsets = self.rpn.head([features])
        crops = features.new_zeros(len(frame) * self.proposals, features.shape[1], ROI_SIZE, ROI_SIZE)
        logits, box_offsets = self.roi_heads.box_predictor(self.roi_heads.box_head(crops))
        return objectness, anchor_offsets, logits, box_offsets
