"""Detectors that bring their own reading of boxes (tasks/adapted.py); they learn without labels."""

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from deltadistill.data.boxes import Detections
from deltadistill.tasks.adapted import Adapted
from deltadistill.tasks.suppression import Suppression


class OwnBoxes:
    """Reads the outputs of a network that has `decode`; what needs anchors or labels is refused."""

    def image_size(self, network: nn.Module) -> tuple[int, int] | None:
        """See `detection.Detector`."""
        return cast(Adapted, network).image_size

    def anchor_grids(self, network: nn.Module, size: tuple[int, int], device: torch.device) -> list[Tensor]:
        """Raise ValueError: nothing is known of anchors."""
        raise ValueError(
            f"{_name(network)} reads boxes in its own way, without anchors that are known here; method fgfi "
            "needs them, take method feature"
        )

    def targets(self, references: Tensor, network: nn.Module) -> Any:
        """Raise ValueError: nothing is known of how it learns from boxes."""
        raise ValueError(
            f"{_name(network)} reads boxes in its own way, and how it learns from labels is not known here; "
            "keep it as it is (pretrain_teacher.steps: 0) and distill without labels (distill.loss.task: "
            "teacher or none)"
        )

    def loss(self, output: Any, targets: Any, network: nn.Module, of: Tensor) -> Tensor:
        """Raise ValueError, as `targets` does."""
        return self.targets(of, network)

    def imitation_loss(
        self, output: Any, teacher_output: Any, network: nn.Module, teacher: nn.Module
    ) -> Tensor:
        """As the network says it; else the relative squared error of each map, mean over maps and frames."""
        own = cast(Adapted, network).imitation
        return relative_error(output, teacher_output) if own is None else own(output, teacher_output)

    def predict(self, output: Any, network: nn.Module, suppression: Suppression) -> list[Detections]:
        """Boxes of each frame by the network's own decoder; of these the task keeps what it keeps of any."""
        leaves = tree_leaves(tree_map_only(Tensor, lambda values: values.detach().float().cpu(), output))
        return [
            _chosen(cast(Adapted, network), [leaf[n : n + 1].numpy() for leaf in leaves], suppression)
            for n in range(len(leaves[0]))
        ]


def relative_error(output: Any, teacher_output: Any) -> Tensor:
    """‖y − t‖² / ‖t‖² of each frame and tensor of outputs, mean over both; a scalar."""
    pairs = zip(tree_leaves(output), tree_leaves(teacher_output), strict=True)
    return torch.stack([_relative(one, other).mean() for one, other in pairs]).mean()


def _relative(one: Tensor, other: Tensor) -> Tensor:
    one, other = one.float().flatten(1), other.float().flatten(1)
    return (one - other).square().sum(1) / other.square().sum(1).clamp_min(1e-6)


def _chosen(network: Adapted, outputs: list[np.ndarray], suppression: Suppression) -> Detections:
    assert network.decode is not None
    found = network.decode(outputs)
    boxes = torch.as_tensor(np.asarray(found["boxes"], np.float32).reshape(-1, 4))
    scores = torch.as_tensor(np.asarray(found.get("scores", np.ones(len(boxes))), np.float32))
    classes = torch.as_tensor(np.asarray(found.get("labels", np.zeros(len(boxes))), np.int64))
    scores, places = suppression.candidates_of(scores)
    size = network.image_size
    if size is None:
        raise ValueError(f"{_name(network)} does not say which frames its boxes are in; give it `fixed=True`")
    return suppression.detections(boxes[places], scores, classes[places], size)


def _name(network: nn.Module) -> str:
    return type(getattr(network, "network", network)).__name__
