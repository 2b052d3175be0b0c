"""Which places of a detector's maps lie near objects, by its anchors (FGFI: Wang et al., CVPR 2019, §3.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def places_near_objects(anchors: Sequence[Tensor], references: Tensor, *, threshold: float) -> list[Tensor]:
    """Places at which some anchor fits an object nearly as well as the best of all anchors does.

    anchors: per map, boxes (h, w, A, 4) of the A anchors at each place. references: boxes (N, M, 5) of N
    frames in the same pixels, see data.box_lists. An anchor fits where its IoU with an object exceeds
    `threshold` times the best IoU of any anchor of any map with that object. Returns bool (N, h, w) per map.
    """
    every = torch.cat([boxes.reshape(-1, 4) for boxes in anchors])
    fitting = torch.stack([_fitting(every, boxes, threshold) for boxes in references])
    per_map = fitting.split([boxes[..., 0].numel() for boxes in anchors], 1)
    return [flags.view(-1, *boxes.shape[:3]).any(-1) for flags, boxes in zip(per_map, anchors, strict=True)]


def _fitting(anchors: Tensor, boxes: Tensor, threshold: float) -> Tensor:
    """Which of the anchors (K, 4) fit any of one frame's boxes (M, 5): bool (K,)."""
    from torchvision.ops import box_iou

    known = boxes[boxes[:, 4] >= 0, :4].to(anchors)
    if not len(known):
        return torch.zeros(len(anchors), dtype=torch.bool, device=anchors.device)
    overlap = box_iou(known, anchors)
    return (overlap > threshold * overlap.max(1, keepdim=True).values).any(0)
