"""The networks of the zoo: public architectures with random weights and small frames."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torchvision.models import detection, get_model, segmentation
from torchvision.models.maxvit import MaxVit


@dataclass(frozen=True)
class Entry:
    """One network, and how it is checked.

    size: side of its frames, pixels. heads: modules whose raw outputs are compared, where the network's own
    output is picked by content (detections); empty for the output itself. fast: also part of `make test`.
    dtype: double, as rounding grows a thousandfold in some networks with random weights; single where double
    takes minutes. clip: clips and frames of each.
    """

    build: Callable[[], nn.Module]
    size: int = 64
    heads: tuple[str, ...] = ()
    fast: bool = False
    dtype: torch.dtype = torch.float64
    clip: tuple[int, int] = (2, 3)

    @property
    def tolerance(self) -> float:
        """Largest relative error; a wrong pairing gives errors of about 1."""
        return 1e-8 if self.dtype == torch.float64 else 1e-4

    def network(self) -> nn.Module:
        """Build the network in evaluation mode, always with the same weights."""
        torch.manual_seed(0)
        network = self.build().to(self.dtype)
        _awaken(network, self.frames().flatten(0, 1))
        return network.eval()

    def frames(self) -> torch.Tensor:
        """Clips (N, T, 3, H, W) of coarse random shapes, every frame another one."""
        clips, frames = self.clip
        coarse = torch.randn(clips * frames, 3, 4, 4, generator=torch.Generator().manual_seed(1))
        side = (self.size, self.size)
        fine = nn.functional.interpolate(coarse, side, mode="bilinear")
        return fine.unflatten(0, self.clip).sigmoid().to(self.dtype)


@torch.no_grad()
def _awaken(network: nn.Module, frames: torch.Tensor) -> None:
    """Make outputs depend on the frames: public initialisations often leave the biases alone to speak.

    Weights get the scale that keeps activations alive, biases of heads vanish, the factors of residual
    branches become 1, and batch norm takes its statistics from frames.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            if not module.weight.any():  # as public classifier heads start
                nn.init.normal_(module.weight)
            module.weight.mul_((1.5 / fan_in) ** 0.5 / module.weight.std())
            if module.bias is not None:
                module.bias.zero_()
        for name, parameter in module.named_parameters(recurse=False):
            if name in ("layer_scale", "gamma"):
                parameter.fill_(1.0)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    network.eval()
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    if norms:
        network(frames)


def _classifier(name: str, **options) -> Callable[[], nn.Module]:
    return lambda: get_model(name, weights=None, num_classes=10, **options)


def _segmentation(name: str) -> Callable[[], nn.Module]:
    options = {} if name.startswith("lraspp") else {"aux_loss": True}
    make = getattr(segmentation, name)
    return lambda: make(weights=None, weights_backbone=None, num_classes=5, **options)


def _two_stages(name: str) -> Entry:
    few = {"rpn_pre_nms_top_n_test": 8, "rpn_post_nms_top_n_test": 4, "box_detections_per_img": 2}
    return _detector(name, heads=("rpn.head",), box_score_thresh=0.0, **few)


def _one_stage(name: str) -> Entry:
    return _detector(name, heads=("head",), score_thresh=0.0, topk_candidates=12, detections_per_img=3)


def _detector(name: str, heads: tuple[str, ...], **options) -> Entry:
    size = 64
    if not name.startswith("ssd"):  # whose size is part of the architecture
        options |= {"min_size": size, "max_size": size}

    def build() -> nn.Module:
        make = getattr(detection, name)
        return make(weights=None, weights_backbone=None, num_classes=4, **options)

    return Entry(build, size, heads)


def _maxvit() -> nn.Module:
    """Build MaxViT-T with windows of 2 instead of 7, which small frames cannot hold."""
    return MaxVit(
        input_size=(64, 64),
        stem_channels=64,
        partition_size=2,
        block_channels=[64, 128, 256, 512],
        block_layers=[2, 2, 5, 2],
        head_dim=32,
        stochastic_depth_prob=0.2,
        num_classes=10,
    )


def _efficientdet() -> nn.Module:
    from effdet import EfficientDet, get_efficientdet_config  # an optional package

    config = get_efficientdet_config("efficientdet_d0")
    config.image_size = (128, 128)
    return EfficientDet(config, pretrained_backbone=False)


CLASSIFIERS = {
    "alexnet": 64,
    "convnext_tiny": 64,
    "densenet121": 64,
    "efficientnet_b0": 64,
    "efficientnet_v2_s": 64,
    "googlenet": 64,
    "inception_v3": 96,
    "mnasnet0_5": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "mobilenet_v3_large": 64,
    "regnet_x_400mf": 64,
    "regnet_y_400mf": 64,
    "resnet18": 64,
    "resnet50": 64,
    "resnext50_32x4d": 64,
    "shufflenet_v2_x0_5": 64,
    "squeezenet1_1": 64,
    "swin_t": 64,
    "swin_v2_t": 64,
    "vgg11": 32,
    "vit_b_32": 64,
    "wide_resnet50_2": 64,
}
OPTIONS = {
    "googlenet": {"aux_logits": True, "init_weights": False},
    "inception_v3": {"aux_logits": True, "init_weights": False},
    "vit_b_32": {"image_size": 64},
}
SEGMENTERS = (
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    "fcn_resnet50",
    "fcn_resnet101",
    "lraspp_mobilenet_v3_large",
)
TWO_STAGES = (
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "keypointrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
)
ONE_STAGE = (
    "fcos_resnet50_fpn",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "ssd300_vgg16",
    "ssdlite320_mobilenet_v3_large",
)
FAST = (
    "resnet18",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "lraspp_mobilenet_v3_large",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
)

ENTRIES = {
    **{name: Entry(_classifier(name, **OPTIONS.get(name, {})), size) for name, size in CLASSIFIERS.items()},
    **{name: Entry(_segmentation(name)) for name in SEGMENTERS},
    **{name: _two_stages(name) for name in TWO_STAGES},
    **{name: _one_stage(name) for name in ONE_STAGE},
    "maxvit_t": Entry(_maxvit),
    "efficientdet_d0": Entry(_efficientdet, 128),
}
HEAVY = ("resnet50_fpn", "resnet101", "wide_resnet50", "ssd300")
ENTRIES |= {name: replace(e, clip=(2, 2)) for name, e in ENTRIES.items() if any(h in name for h in HEAVY)}
for _single in ("ssd300_vgg16", "vgg11"):
    ENTRIES[_single] = replace(ENTRIES[_single], dtype=torch.float32)
ENTRIES |= {name: replace(ENTRIES[name], fast=True) for name in FAST}
