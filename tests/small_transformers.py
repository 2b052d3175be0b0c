"""Small vision transformers of each family, with random weights, for frames of 32×32 in patches of 8."""

import timm
import torch
from torch import nn
from torchvision.models import VisionTransformer

from deltadistill.models.clip_tower import build

SIZE, PATCHES, WIDTH = (3, 32, 32), 16, 24
FAMILIES = ("timm", "timm_average", "torchvision", "clip")


def transformer(family: str, *, depth: int = 2) -> nn.Module:
    """Build one, in evaluation mode; every output hangs on the picture."""
    torch.manual_seed(0)
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": WIDTH, "num_heads": 3}
    if family == "timm":
        made = timm.create_model(
            "vit_tiny_patch16_224", depth=depth, num_classes=5, reg_tokens=1, qk_norm=True, **sizes
        )
    elif family == "timm_average":
        made = timm.create_model(
            "vit_tiny_patch16_224",
            depth=depth,
            num_classes=0,
            class_token=False,
            global_pool="avg",
            init_values=0.5,
            **sizes,
        )
    elif family == "torchvision":
        made = VisionTransformer(32, 8, depth, 3, WIDTH, 4 * WIDTH, num_classes=5)
        nn.init.normal_(made.heads.head.weight)
    else:
        made = build(classes=7, image_size=32, patch_size=8, width=WIDTH, layers=depth, heads=3)
    for name, parameter in made.named_parameters():
        if name.endswith("weight") and parameter.dim() == 2:
            nn.init.normal_(parameter, std=0.2)
    return made.eval()
