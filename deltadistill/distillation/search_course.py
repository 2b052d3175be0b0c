"""The course of a search over the steps of a training: when it acts, and what it may spend."""

from dataclasses import dataclass

from torch import Tensor, nn

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable
from deltadistill.distillation.search import settle, settle_at


@dataclass(frozen=True)
class SearchCourse:
    """When the search acts, and what it may spend.

    Up to step `warmup` candidates are drawn and the gates rest; at step `freeze` the choice is final,
    within `budget` (search.settle) or at `target` (search.settle_at), and the students finetune.
    """

    warmup: float
    freeze: int
    budget: float | None = None
    target: AmortisedTarget | None = None

    def gates_learn(self, step: int) -> bool:
        """Whether the expected cost has its price at a step."""
        return self.warmup <= step < self.freeze

    def settle(self, network: nn.Module, costs: CostTable) -> None:
        """Decide every block."""
        if self.target is None:
            settle(network, costs, budget=self.budget)
        else:
            settle_at(network, costs, self.target)

    def require_reachable(self, network: nn.Module, costs: CostTable) -> None:
        """Raise ValueError for costs of another network, and for a bound that no choice can keep."""
        costs.require_blocks_of(network)
        if self.target is not None:
            costs.require_target(self.target)
        elif self.budget is not None:
            costs.require_share(self.budget)

    def price(self, cost: Tensor) -> Tensor:
        """What the loss charges for the expected cost of a delta frame, a share of the teacher's.

        The cost itself (Eq. 4); with a target its distance from it, so that a network that is too cheap is
        drawn up.
        """
        return cost if self.target is None else (cost - self.target.delta_share).abs()
