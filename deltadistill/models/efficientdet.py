"""EfficientDet-D0 (Tan et al., arXiv 1911.09070), built by the package effdet on timm's EfficientNet-B0.

Its state dict has the names and shapes of the public delta-distillation checkpoints.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from types import ModuleType

from torch import nn

from deltadistill.models.anchor_layout import SHAPES, AnchorLayout, Shape
from deltadistill.models.layers import check_sizes

BACKBONE = "tf_efficientnet_b0"
BATCH_NORM_EPS = 1e-3  # of pyramid and heads
IMAGE_SIZE = 512  # pixels, height and width
COARSEST_STRIDE = 128  # of the fifth pyramid level


def build_d0(
    *,
    classes: int,
    image_size: int | Sequence[int] = IMAGE_SIZE,
    backbone: str = BACKBONE,
    pyramid_channels: int = 64,
    pyramid_repeats: int = 3,
    head_repeats: int = 3,
    anchor_scale: float = 4.0,
    anchor_shapes: Sequence[Shape] = SHAPES,
    batch_norm_momentum: float = 0.01,
) -> nn.Module:
    """Build EfficientDet-D0 for normalised frames (N, 3, height, width), without weights.

    It returns (class logits, box offsets): for each of five levels of stride 8 … 128 a (N, 9 classes, h, w)
    and a (N, 36, h, w), at nine anchors per position; `anchors` says where they lie. Blocks are never dropped
    at random (stochastic depth), so that two passes over one frame agree. image_size: (height, width), or
    one number for square frames. The other options make smaller networks of the family: `backbone` is any of
    timm's that gives maps of stride 8, 16 and 32 (`tinynet_e` is an EfficientNet-B0 of half the width),
    `anchor_scale` the length of the smallest anchor in strides, `anchor_shapes` their (width, height)
    relative to their length, and `batch_norm_momentum` how much pyramid and heads learn from each batch about
    means and variances: more than published for few steps. Each shape comes in three sizes per position.
    Raises ValueError for a size that is no multiple of 128 and for shapes that are no pairs above 0, and
    ImportError where effdet is not installed.
    """
    check_sizes(classes=classes, pyramid_channels=pyramid_channels)
    check_sizes(pyramid_repeats=pyramid_repeats, head_repeats=head_repeats)
    height, width = size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    check_sizes(height=height, width=width)
    if height % COARSEST_STRIDE or width % COARSEST_STRIDE:
        raise ValueError(f"image_size must be a multiple of {COARSEST_STRIDE}, got {image_size}")
    effdet = import_effdet()
    config = effdet.get_efficientdet_config("tf_efficientdet_d0")
    config.num_classes, config.image_size = classes, list(size)
    config.backbone_name, config.backbone_args = backbone, {"drop_path_rate": 0.0}
    config.fpn_channels, config.fpn_cell_repeats = pyramid_channels, pyramid_repeats
    anchors = AnchorLayout(size, scale=anchor_scale, shapes=tuple(tuple(shape) for shape in anchor_shapes))
    config.box_class_repeats, config.anchor_scale = head_repeats, anchor_scale
    config.aspect_ratios = list(anchors.shapes)
    config.norm_kwargs = {"eps": BATCH_NORM_EPS, "momentum": batch_norm_momentum}
    network = effdet.EfficientDet(config, pretrained_backbone=False)
    network.anchors = anchors
    network.excluded_layers = _excluded_layers(network)
    network.head_features = "fpn"  # whose output the heads read
    network.parts = {"backbone": "backbone", "fpn": "pyramid", "class_net": "head", "box_net": "head"}
    return network


def _excluded_layers(network: nn.Module) -> tuple[str, ...]:
    """Name the convolutions that the published network leaves unconverted.

    The first, the two that predict boxes, those of squeeze-and-excitation, and depthwise ones.
    """
    convolutions = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    first, *_ = convolutions
    return tuple(
        name
        for name, convolution in convolutions.items()
        if name == first
        or name.startswith("box_net.predict.")
        or ".se." in name
        or convolution.groups == convolution.in_channels
    )


def import_effdet() -> ModuleType:
    """Import effdet, which few users need and which takes seconds; ImportError says what to install."""
    try:
        with warnings.catch_warnings():
            # effdet compiles a matcher with torch.jit.script on import, which recent versions of torch
            # deprecate.
            warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*torch.jit.script", category=DeprecationWarning)
            import effdet
    except ModuleNotFoundError as error:
        raise ImportError(
            f"EfficientDet needs {error.name}, which is not installed; "
            "install it with: pip install 'deltadistill[detection]'"
        ) from error
    return effdet
