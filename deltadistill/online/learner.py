"""What learns of a student, and its optimiser: momentum SGD, a snapshot to go back to, and what it cost."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from deltadistill.account.training_macs import TrainingMacs
from deltadistill.forward.kept_bytes import kept_bytes
from deltadistill.online.parts import largest_gradients

Result = TypeVar("Result")


class Learner:
    """The parameters and buffers that updates change, by momentum SGD.

    kept: further tensors of the network that updates change, such as batch norm's statistics.
    share: of all values of the parameters that are changed by the steps on a frame: those whose gradient is
        largest at the first one (`online.parts`).
    macs: multiply-accumulates so far of what `counted` ran.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        kept: Iterable[Tensor],
        *,
        learning_rate: float,
        momentum: float,
        share: float = 1.0,
    ):
        self._parameters, self._share = list(parameters), share
        self._masks: list[Tensor | None] | None = None
        self._tensors = [*self._parameters, *kept]
        self._optimiser = torch.optim.SGD(self._parameters, lr=learning_rate, momentum=momentum)
        self._initial = self.snapshot()
        self._known: dict[Any, int] = {}
        self.macs = 0

    def counted(self, what: Any, run: Callable[[], Result]) -> Result:
        """Run something and add its MACs; they are measured once for each `what` (a kind and a shape)."""
        if what in self._known:
            result = run()
        else:
            with TrainingMacs() as counted:
                result = run()
            self._known[what] = counted.macs
        self.macs += self._known[what]
        return result

    def step(self, loss: Tensor, shape: torch.Size) -> None:
        """Do one step by the gradient of a loss over a frame of `shape`."""
        self._optimiser.zero_grad(set_to_none=True)
        self.counted(("backward", shape), loss.backward)
        if self._share < 1:
            self._step_of_a_share()
        else:
            self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)

    def begin_frame(self) -> None:
        """The next step is the first on another frame."""
        self._masks = None

    @torch.no_grad()
    def _step_of_a_share(self) -> None:
        gradients = [parameter.grad for parameter in self._parameters]
        self._masks = largest_gradients(gradients, self._share) if self._masks is None else self._masks
        before = [parameter.clone() for parameter in self._parameters]
        self._optimiser.step()
        for parameter, old, mask in zip(self._parameters, before, self._masks, strict=True):
            if mask is not None:
                parameter.copy_(torch.where(mask, parameter, old))

    def is_finite(self) -> bool:
        """Whether every parameter and buffer is."""
        return all(bool(tensor.isfinite().all()) for tensor in self._tensors)

    def snapshot(self) -> dict[str, Any]:
        """Values of all that learns, and the optimiser's: copies, in the form of `torch.save`."""
        return {
            "tensors": [tensor.detach().clone() for tensor in self._tensors],
            "optimiser": deepcopy(self._optimiser.state_dict()),
        }

    @torch.no_grad()
    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to what `snapshot` returned; ValueError for that of another network."""
        values = snapshot["tensors"]
        if [value.shape for value in values] != [tensor.shape for tensor in self._tensors]:
            raise ValueError(
                "the state is of another student: its tensors have other shapes; resume with the network and "
                "the batch norm that it was saved with"
            )
        for tensor, value in zip(self._tensors, values, strict=True):
            tensor.copy_(value)
        self._optimiser.load_state_dict(deepcopy(snapshot["optimiser"]))

    def forget(self) -> None:
        """Go back to the beginning."""
        self.restore(self._initial)

    @property
    def bytes(self) -> int:
        """Memory of what learns and of its momentum."""
        momenta = (value for each in self._optimiser.state.values() for value in each.values())
        return kept_bytes([*self._tensors, *(value for value in momenta if isinstance(value, Tensor))])
