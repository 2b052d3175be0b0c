"""What the losses of a batch's parts are divided by, so that they add up to the loss of the whole batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from deltadistill.tasks.task import Task
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

    @classmethod
    def of_task(
        cls, passes: Passes, parts: Sequence[Batch], task: Task, output: Callable[[Batch], Any]
    ) -> "BatchExtent":
        """The same, and as "task" what a task's loss on the parts' targets divides by; one part alone tells.

        output: of a part, for a task whose extent needs it.
        """
        extent = cls.of(passes, parts)
        if len(parts) == 1:
            return extent
        seen = ((output(part) if task.extent_needs_outputs else None, part["target"]) for part in parts)
        return replace(extent, terms={"task": task.extent(seen, passes.group)})

    def share(self, part: Batch) -> float:
        """The share of the clips that a part holds."""
        return len(part["clip"]) / self.clips
