"""EfficientDet-D0 (Tan et al., arXiv 1911.09070), built by the package effdet on timm's EfficientNet-B0.

Its state dict has the names and shapes of the public delta-distillation checkpoints.
"""

from __future__ import annotations

import warnings
from types import ModuleType

from torch import nn

from deltadistill.models.layers import check_sizes

IMAGE_SIZE = 512  # pixels, height and width
COARSEST_STRIDE = 128  # of the fifth pyramid level


def build_d0(*, classes: int, image_size: int = IMAGE_SIZE) -> nn.Module:
    """Build EfficientDet-D0 for normalised square frames (N, 3, image_size, image_size), without weights.

    It returns (class logits, box offsets): for each of five levels of stride 8 … 128 a (N, 9 classes, h, w)
    and a (N, 36, h, w), at nine anchors per position. Blocks are never dropped at random (stochastic depth),
    so that two passes over one frame agree. Raises ValueError for an image size that is no multiple of 128,
    and ImportError where effdet is not installed.
    """
    check_sizes(classes=classes, image_size=image_size)
    if image_size % COARSEST_STRIDE:
        raise ValueError(f"image_size must be a multiple of {COARSEST_STRIDE}, got {image_size}")
    effdet = _import_effdet()
    config = effdet.get_efficientdet_config("tf_efficientdet_d0")
    config.num_classes = classes
    config.image_size = [image_size, image_size]
    config.backbone_args = {"drop_path_rate": 0.0}
    network = effdet.EfficientDet(config, pretrained_backbone=False)
    network.excluded_layers = _excluded_layers(network)
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


def _import_effdet() -> ModuleType:
    """Import effdet, which few users need and which takes seconds."""
    try:
        with warnings.catch_warnings():
            # effdet compiles a matcher with torch.jit.script on import, which recent versions of torch
            # deprecate; nothing that is built here uses it.
            warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*torch.jit.script", category=DeprecationWarning)
            import effdet
    except ModuleNotFoundError as error:
        raise ImportError(
            f"EfficientDet needs {error.name}, which is not installed; "
            "install it with: pip install 'deltadistill[detection]'"
        ) from error
    return effdet
