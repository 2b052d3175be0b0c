"""Training of Deep Feature Flow's scale map, on pairs of a key frame and a later one."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from deltadistill.data.frames import normalise
from deltadistill.distillation.companion import CompanionTraining
from deltadistill.predictors.deep_feature_flow import moved_maps
from deltadistill.predictors.frame_batch import FrameBatch
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.network_split import NetworkSplit
from deltadistill.training.passes import Batch


@dataclass
class FlowScaleTraining(CompanionTraining):
    """The companion is the scale (models/flow_scale.py), on pairs; the teacher's maps are moved.

    split: of the teacher.
    """

    split: NetworkSplit = field(kw_only=True)
    motions: Motions = field(kw_only=True)

    def observed(self, part: Batch) -> tuple[Any, dict[str, Tensor]]:
        """What the last modules make of the moved and scaled maps, for the later frames of pairs."""
        key, later = part["clip"].unbind(1)
        self.motions.begin(len(key))
        self.motions.see(FrameBatch(key.cpu()), is_key=True)
        self.motions.see(FrameBatch(later.cpu()), is_key=False)
        first = normalise(key)
        with torch.no_grad():
            _, maps = self.split.full(first)
        flow = self.motions.back().to(first.device)
        return self.split.rest(moved_maps(maps, flow, self.network, first, normalise(later))), {}
