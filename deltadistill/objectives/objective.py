"""What an objective is to a training: where it looks, what its loss divides by, and the loss."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.objectives.observation import Observation
from deltadistill.objectives.taps import Taps
from deltadistill.processes.group import ALONE, Group


class Objective(nn.Module):
    """One term of the loss of a distillation; it is made from a Setting and options of its own.

    Its parameters are modules that only the training knows, such as an adaptation of maps: they learn at the
    students' rate, are kept in checkpoints, and are gone at the end. They are never put into the network.

    A batch may come in parts, over passes and processes. Each part's extent is added up to the whole's, and
    the losses of the parts, each divided by the whole's extent, add up to the whole's loss.
    """

    @property
    def taps(self) -> Taps:
        """What the objective asks to see."""
        return Taps()

    def prepared(self, batch: Mapping[str, Any], network: nn.Module) -> Mapping[str, Any]:
        """The part of a batch with what the objective works out beforehand, under names of its own."""
        return batch

    def extent(self, seen: Observation) -> Tensor:
        """What a part adds to what the loss of the whole batch divides by; by default its clips.

        Where a batch comes in several parts, this is asked of all of them before any loss, in passes of
        their own that `seen` runs as far as they are looked at.
        """
        return torch.tensor(seen.clips)

    def batch_extent(self, parts: Iterable[Observation], group: Group = ALONE) -> Any:
        """What the loss of a whole batch divides by; by default the sum of all parts' extents.

        parts: this process's. group: the processes that have the others, and call this together.
        """
        return group.total(torch.stack([self.extent(seen) for seen in parts]).sum(0))

    def loss(self, seen: Observation, of: Any) -> Tensor:
        """What a part adds to the loss of the whole batch, whose extent is `of`; a scalar."""
        raise NotImplementedError(f"{type(self).__name__} has no loss; define loss(seen, of)")
