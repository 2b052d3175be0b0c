"""Outputs at low resolution, corrected by the key frame: z_t = up(f(x_t↓)) + z_0 − up(f(x_0↓))."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.macs import count_macs
from deltadistill.forward.outputs import frame_outputs
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class LowResolution(Predictor):
    """The network on key frames; between, what has changed in the output of a network on reduced frames.

    factor: of the reduction, of height and width. low: the network that sees reduced frames; None: the same.
    In a still clip every frame has the key frame's output, whatever the networks are.
    AR-Seg (Hu et al., CVPR 2023) joins features of low resolution with those of the key frame by attention;
    here outputs are joined by their difference, upsampled, and nothing but `low` can be trained.
    """

    has_delta_frames = True

    def __init__(self, network: nn.Module, task: Task, *, factor: float = 2, low: nn.Module | None = None):
        if factor <= 1:
            raise ValueError(f"factor {factor} does not reduce frames; it must be above 1")
        self._network, self._low = network, low or network
        self._device = device_of(network)
        self._task, self._factor = task, factor
        self._low_macs: dict[tuple[int, int], int] = {}
        self._kept: Any = None

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule, self._size = stream.schedule, self._reduced(stream.size)
        self._kept = None  # z_0 − up(f(x_0↓))

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        self.is_key_frame = self._schedule.is_due(frame.pictures)
        frames = frame.normalised.to(self._device)
        changing = frame_outputs(self._low, F.interpolate(frames, self._size, mode="area"))
        if self.is_key_frame:
            output = frame_outputs(self._network, frames)
            self._kept = tree_map(lambda z, y: z - _like(y, z), output, changing)
        else:
            output = tree_map(lambda kept, y: kept + _like(y, kept), self._kept, changing)
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        return on_processor(self._task.predict(output, network=self._network))

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Every frame the network on reduced frames, and key frames the other as well."""
        if self._size not in self._low_macs:
            self._low_macs[self._size] = count_macs(self._low, (3, *self._size)).teacher
        low = Cost(macs=self._low_macs[self._size])
        return FrameCosts(key=networks[MAIN].key + low, delta=low)

    def _reduced(self, size: tuple[int, int]) -> tuple[int, int]:
        height, width = (max(1, round(side / self._factor)) for side in size)
        return height, width


def _like(made: Tensor, wanted: Tensor) -> Tensor:
    """An output for reduced frames at the size of the other (bilinear, corners not aligned)."""
    if made.shape == wanted.shape:
        return made
    if made.dim() != 4 or made.shape[:2] != wanted.shape[:2]:
        raise ValueError(
            f"for reduced frames the network gives {tuple(made.shape)}, in full {tuple(wanted.shape)}; "
            "expected maps (N, C, h, w) that differ in their resolution alone"
        )
    return F.interpolate(made, wanted.shape[-2:], mode="bilinear", align_corners=False)
