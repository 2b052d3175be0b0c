"""Deep Feature Flow: features of the key frame moved along the flow, and the task's head on them (DFF)."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.forward.kept_bytes import kept_bytes
from deltadistill.motion.dis import Preset
from deltadistill.motion.flow_macs import BILINEAR
from deltadistill.motion.warp import warped
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.network_split import NetworkSplit
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class DeepFeatureFlow(Predictor):
    """The network on key frames; between, its last modules on the maps of the key frame, warped.

    split: the modules from which on later frames run: `final_layer` of a DDRNet, `last_layer` of an HRNet,
    [class_net, box_net] of an EfficientDet (network_split.py). motion, preset, longest: as of `Moved`.
    scale: a network that says by what moved maps are multiplied, of training method flow_scale
    (models/flow_scale.py); None: by 1.
    In the paper (Zhu et al., CVPR 2017) flow and scale map are learned together; here the flow is DIS or
    vectors, with the photometric gate.
    """

    has_delta_frames = True
    computes_inside = True

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        *,
        split: str | Sequence[str],
        motion: str = "flow",
        preset: Preset = "fast",
        longest: int = 320,
        scale: nn.Module | None = None,
    ):
        self._network = network
        self._scale = scale
        self._split = NetworkSplit(network, split)
        self._device = device_of(network)
        self._task = task
        self._motions = Motions(motion, preset=preset, longest=longest)
        self._elements: dict[tuple[int, int], int] = {}  # of the warped maps, by the size of a frame

    @property
    def state_bytes(self) -> int:  # type: ignore[override]  # of the maps, only read here
        """Memory of the key frame's maps, bytes."""
        return kept_bytes(leaf for leaf in tree_leaves((self._maps, self._key)) if isinstance(leaf, Tensor))

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule, self._size = stream.schedule, stream.size
        self._motions.begin(stream.streams)
        self._maps: Any = None
        self._key: Tensor | None = None  # the key frame, where a scale looks at it

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        self.is_key_frame = self._schedule.is_due(frame.pictures)
        self._motions.see(frame, is_key=self.is_key_frame)
        frames = frame.normalised.to(self._device)
        if self.is_key_frame:
            output, self._maps = self._split.full(frames)
            self._key = None if self._scale is None else frames
        else:
            flow = self._motions.back().to(self._device)
            output = self._split.rest(moved_maps(self._maps, flow, self._scale, self._key, frames))
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        return on_processor(self._task.predict(output, network=self._network))

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Between key frames motion, warping, and the last modules; a scale, its product and its picture."""
        elements = self._map_elements()
        macs = self._motions.macs(self._size) + BILINEAR * elements + self._split.rest_macs(self._size)
        delta = Cost(macs=macs)
        if self._scale is not None:
            delta += networks["scale"].key + Cost(macs=elements + BILINEAR * 3 * prod(self._size))
        return FrameCosts(key=networks[MAIN].key, delta=delta)

    @torch.no_grad()
    def _map_elements(self) -> int:
        if self._size not in self._elements:
            _, maps = self._split.full(torch.zeros(1, 3, *self._size, device=self._device))
            leaves = [leaf for leaf in tree_leaves(maps) if isinstance(leaf, Tensor)]
            self._elements[self._size] = sum(leaf.numel() for leaf in leaves)
        return self._elements[self._size]


def moved_maps(maps: Any, flow: Tensor, scale: nn.Module | None, key: Tensor | None, frames: Tensor) -> Any:
    """The key frame's maps at the present frame: warp(φ(x_0)) ⊙ S(x_t − warp(x_0)), S = 1 without a scale.

    maps: a tensor (N, C, h, w), or any tree of such where there is no scale. flow: (N, 2, H, W), back to the
    key frame. key, frames: x_0 and x_t, (N, 3, H, W). Raises ValueError for a scale of other maps.
    """
    moved = tree_map_only(Tensor, lambda each: warped(each, flow), maps)
    if scale is None:
        return moved
    assert key is not None  # kept where there is a scale
    scales = scale(frames - warped(key, flow))
    if not isinstance(moved, Tensor) or moved.dim() != 4 or moved.shape[1] != scales.shape[1]:
        raise ValueError(
            f"the scale map has {scales.shape[1]} channels, and the last modules read {_form(moved)}; train "
            "it (method flow_scale) with the split that the predictor has, for a network whose last modules "
            "read one map"
        )
    if scales.shape[-2:] != moved.shape[-2:]:
        scales = F.interpolate(scales, moved.shape[-2:], mode="bilinear", align_corners=False)
    return moved * scales


def _form(maps: Any) -> str:
    return f"a map of shape {tuple(maps.shape)}" if isinstance(maps, Tensor) else f"a {type(maps).__name__}"
