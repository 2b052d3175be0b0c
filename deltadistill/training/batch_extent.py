"""What the losses of a batch's parts are divided by, so that they add up to the loss of the whole batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from deltadistill.training.passes import Batch, Passes


@dataclass(frozen=True)
class BatchExtent:
    """What a step must know of its whole batch before its parts can be added up.

    clips: their number, a share of which is a part's. terms: by term of the loss, what it divides by; a term
    is missing where the only pass tells.
    """

    clips: float
    terms: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, passes: Passes, parts: Sequence[Batch]) -> "BatchExtent":
        """Count the clips, over all parts in all processes."""
        return cls(float(passes.group.total(torch.tensor(sum(len(part["clip"]) for part in parts)))))

    def share(self, part: Batch) -> float:
        """The share of the clips that a part holds."""
        return len(part["clip"]) / self.clips
