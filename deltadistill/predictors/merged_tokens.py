"""Token merging on every frame: a vision transformer whose like tokens become one, without any memory."""

from collections.abc import Mapping

from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.macs import count_macs
from deltadistill.models.merged_tokens import MergedTokens
from deltadistill.predictors.frame_batch import StreamInfo
from deltadistill.predictors.per_frame import PerFrame
from deltadistill.tasks.task import Task


class PerFrameMerged(PerFrame):
    """A plain vision transformer as `models.merged_tokens` runs it; merged: patches in each block."""

    computes_inside = True

    def __init__(self, network: nn.Module, task: Task, *, merged: int):
        self._merged = MergedTokens(network, merged=merged).eval()
        super().__init__(self._merged, task)

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._size = stream.size

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Every frame what is left of the network, and the cosines by which patches are found."""
        cost = Cost(macs=count_macs(self._merged, (3, *self._size)).teacher)
        return FrameCosts(key=cost, delta=cost)
