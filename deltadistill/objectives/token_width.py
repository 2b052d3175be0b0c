"""ACM's budget: the width that tokens run may be so much on average, and what is above it costs.

"Adaptive Computation Modules: Granular Conditional Computation For Efficient Inference" (Wójcik et al.,
2025); see blocks/adaptive_width.py for the claim and what its students are.

    L = max(mean over blocks that run their student, and tokens, of k / learners − target, 0)

Departures: the distance is one-sided, and a learner counts alike in every block; the authors' terms that
keep gates from choosing the same for all tokens are not here.
"""

import torch
from torch import Tensor

from deltadistill.blocks.adaptive_mlp import AdaptiveMlp
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class TokenWidth(Objective):
    """The mean width of later frames' tokens above `target`, a share from 0 to below 1, of a whole batch.

    Raises ValueError for a network without students of adaptive width.
    """

    def __init__(self, setting: Setting, *, target: float = 0.25):
        super().__init__()
        if not 0 <= target < 1:
            raise ValueError(f"objective token_width: target {target} must be from 0 to below 1")
        self.target = target
        modules = setting.network.named_modules()
        self.names = tuple(
            f"{name}.widths" if name else "widths"
            for name, module in modules
            if isinstance(module, AdaptiveMlp)
        )
        if not self.names:
            raise ValueError(
                "objective token_width prices the width of adaptive students, and "
                f"{type(setting.network).__name__} has none; take students.kind adaptive_width, or leave "
                "it out"
            )

    @property
    def taps(self) -> Taps:
        """The widths."""
        return Taps(own_modules=self.names)

    def extent(self, seen: Observation) -> Tensor:
        """The sum of widths, and how many there are; (2,)."""
        widths = self._widths(seen).detach().double()
        return torch.stack([widths.sum(), widths.new_tensor(len(widths))])

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """A part's share of the whole batch's mean above the target; 0 where that is not above it."""
        total, count = of.tolist()
        above = (self._widths(seen) - self.target).sum() / max(count, 1)
        return above if total > self.target * count else 0 * above

    def _widths(self, seen: Observation) -> Tensor:
        """Of all tokens of blocks that ran their student; none where a gate drew the teacher in each."""
        found = [each.flatten() for name in self.names for each in seen.maps(name)]
        return torch.cat([seen.clip.new_zeros(0), *found])
