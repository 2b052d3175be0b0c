"""What trainees have in common whose network learns by an OptimisedNetwork (see training.loop.Trainee)."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor, nn

from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.passes import Batch


class OptimisedTrainee:
    """The parts of a trainee that its `optimised` network answers for."""

    optimised: OptimisedNetwork

    @property
    def network(self) -> nn.Module:
        """What learns."""
        return self.optimised.network

    @abstractmethod
    def losses(self, index: int, batch: Batch) -> Iterator[dict[str, Tensor]]:
        """Yield "loss" and its terms of each pass over a batch; weights stay."""

    def step(self, index: int, batch: Batch) -> dict[str, float]:
        """Do one optimiser step on a batch as in `losses`."""
        totals = self.optimised.step(index, self.losses(index, batch))
        return {**totals, "learning_rate": self.optimised.learning_rate}

    def judged_weights(self) -> AbstractContextManager[None]:
        """Inside, the network has the weights that are judged and kept."""
        return self.optimised.judged_weights()

    def may_be_best(self, steps_done: int) -> bool:
        """Any network may be the result."""
        return True

    def state(self) -> dict[str, Any]:
        """Weights and all that makes the next ones."""
        return self.optimised.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` returned."""
        self.optimised.restore(state)
