"""What public files call the tensors of the networks here: wrappers around all names, and other names."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

_WRAPPERS = ("module.", "model.", "detector.")  # of data-parallel training, losses and detectors

# Beginnings of names in public files, and what they are here. Of several that fit, the first that gives a
# name of the network counts.
_BEGINNINGS = (
    ("neck.convs.0.conv.", "backbone.neck.0."),
    ("rpn_head.rpn_conv.", "rpn.head.conv.0.0."),
    ("rpn_head.rpn_cls.", "rpn.head.cls_logits."),
    ("rpn_head.rpn_reg.", "rpn.head.bbox_pred."),
    ("roi_head.bbox_head.shared_fcs.0.", "roi_heads.box_head.fc6."),
    ("roi_head.bbox_head.shared_fcs.1.", "roi_heads.box_head.fc7."),
    ("roi_head.bbox_head.fc_cls.", "roi_heads.box_predictor.cls_score."),
    ("roi_head.bbox_head.fc_reg.", "roi_heads.box_predictor.bbox_pred."),
    ("backbone.", "backbone.body."),  # the published detector's ResNet
    ("", "backbone.body."),  # an ImageNet ResNet by itself
    ("", "backbone."),  # an ImageNet EfficientNet by itself
)


def possible_names(public: str) -> Iterator[str]:
    """Give what the tensor `public` of a file may be called here, the likeliest first."""
    names = [public]
    while wrapper := next((w for w in _WRAPPERS if names[-1].startswith(w)), None):
        names.append(names[-1].removeprefix(wrapper))
    yield from names
    for name in reversed(names):
        for beginning, here in _BEGINNINGS:
            if name.startswith(beginning):
                yield here + name.removeprefix(beginning)


def as_here(public: str, value: Tensor) -> Tensor:
    """Return the value as networks here expect it: the published detector's background is class 0, not last.

    Its box offsets have no rows for the background; here those are zero, and never used.
    """
    if ".bbox_head.fc_cls." in public:
        return value.roll(1, dims=0)
    if ".bbox_head.fc_reg." in public:
        return torch.cat([value.new_zeros(4, *value.shape[1:]), value])
    return value
