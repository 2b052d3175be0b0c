"""Faster R-CNN (Ren et al., arXiv 1506.01497) on a ResNet-101 whose last stage is dilated, from torchvision.

The published network of delta distillation: one feature map at 1/16 with 512 channels serves the proposals
(12 anchors per position) and the heads of 30 object classes.
"""

from __future__ import annotations

# torchvision's detectors take seconds to import, and few users of the other networks need them: the functions
# that build import them.
from collections import OrderedDict
from typing import TYPE_CHECKING

from torch import Tensor, nn

from deltadistill.models.layers import check_sizes

if TYPE_CHECKING:
    from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
    from torchvision.models.detection.roi_heads import RoIHeads
    from torchvision.models.detection.rpn import RegionProposalNetwork

STRIDE = 16  # pixels per position of the feature map
ANCHOR_SIZES = tuple(STRIDE * scale for scale in (4, 8, 16, 32))  # pixels
ANCHOR_RATIOS = (0.5, 1.0, 2.0)  # height over width
FEATURES, ROI_SIZE, BOX_FEATURES = 512, 7, 1024  # channels, positions, channels
BOX_WEIGHTS = (5.0, 5.0, 5.0, 5.0)  # one over the standard deviation of box offsets, 0.2
SHORT_SIDE, LONG_SIDE = 600, 1000  # pixels
PROPOSALS = 300  # per frame when evaluating
LAYERS_101 = (3, 4, 23, 3)


def build_r101(
    *,
    classes: int,
    short_side: int = SHORT_SIDE,
    long_side: int = LONG_SIDE,
    features: int = FEATURES,
    box_features: int = BOX_FEATURES,
    layers: tuple[int, ...] = LAYERS_101,
) -> GeneralizedRCNN:
    """Build the detector of `classes` objects, without weights; label 0 is the background.

    It takes a batch or a list of normalised frames (3, H, W), resized to `short_side` unless the long side
    would exceed `long_side`, and padded with zeros to multiples of 16. In evaluation mode it returns per
    frame {"boxes": (n, 4) in pixels of the frame, "labels": (n,), "scores": (n,)}; in training mode it
    takes targets too and returns the losses. `layers` counts the residual blocks per stage, and `features`
    and `box_features` are widths, all for small experiments.
    """
    from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
    from torchvision.models.detection.transform import GeneralizedRCNNTransform

    check_sizes(classes=classes, short_side=short_side, long_side=long_side)
    check_sizes(features=features, box_features=box_features)
    body = _dilated_body(layers)
    neck = nn.Sequential(nn.Conv2d(2048, features, 3, padding=1), nn.ReLU())
    transform = GeneralizedRCNNTransform(
        short_side, long_side, image_mean=[0.0] * 3, image_std=[1.0] * 3, size_divisible=STRIDE
    )
    network = GeneralizedRCNN(
        nn.Sequential(OrderedDict(body=body, neck=neck)),
        _proposals(features),
        _heads(features, box_features, classes),
        transform,
    )
    network.excluded_layers = ("backbone.body.conv1", "rpn.head.cls_logits", "rpn.head.bbox_pred")
    network.parts = _PARTS
    return network


_PARTS = {
    "backbone.body": "body",
    "backbone.neck": "neck",
    "rpn": "proposals",
    "roi_heads": "head",
}


def _dilated_body(layers: tuple[int, ...]) -> nn.Sequential:
    """Make a ResNet up to its last stage, which keeps 1/16 of the size and dilates every 3×3 convolution.

    torchvision leaves the first block of a dilated stage undilated; the published network does not.
    """
    from torchvision.models import resnet

    network = resnet.ResNet(
        resnet.Bottleneck, list(layers), replace_stride_with_dilation=[False, False, True]
    )
    first = network.layer4[0].conv2
    first.dilation = first.padding = (2, 2)
    stages = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    return nn.Sequential(OrderedDict((stage, getattr(network, stage)) for stage in stages))


def _proposals(features: int) -> RegionProposalNetwork:
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead

    anchors = AnchorGenerator((ANCHOR_SIZES,), (ANCHOR_RATIOS,))
    return RegionProposalNetwork(
        anchors,
        RPNHead(features, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=256,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 6000, "testing": 6000},
        post_nms_top_n={"training": 1000, "testing": PROPOSALS},
        nms_thresh=0.7,
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
    """

    def __init__(self, detector: GeneralizedRCNN, *, proposals: int = PROPOSALS) -> None:
        super().__init__()
        check_sizes(proposals=proposals)
        self.backbone = detector.backbone
        self.rpn = detector.rpn
        self.roi_heads = detector.roi_heads
        self.proposals = proposals

    def forward(self, frame: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
        """Map a resized frame (N, 3, H, W) to objectness, anchor offsets, class logits and box offsets."""
        features = self.backbone(frame)
        objectness, anchor_offsets = self.rpn.head([features])
        crops = features.new_zeros(len(frame) * self.proposals, features.shape[1], ROI_SIZE, ROI_SIZE)
        logits, box_offsets = self.roi_heads.box_predictor(self.roi_heads.box_head(crops))
        return objectness, anchor_offsets, logits, box_offsets
