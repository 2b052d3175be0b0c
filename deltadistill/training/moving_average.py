"""A moving average of a network's weights (EMA), which is judged and kept in their place."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class MovingAverage:
    """After every step: average ← decay · average + (1 − decay) · weights.

    Floating-point parameters and buffers (batch norm's statistics) are averaged; others are taken as they
    are. The first step's weights start the average, and the decay after step n is at most (1 + n) / (10 + n),
    so that a short training is not held back by where it began.
    """

    decay: float
    values: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights that step number `step`, counted from 0, left."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, tensor in _averaged(network).items():
            if name in self.values:
                self.values[name].lerp_(tensor, share)
            else:
                self.values[name] = tensor.detach().clone()

    @contextmanager
    def in_place_of_weights(self, network: nn.Module) -> Iterator[None]:
        """Inside, the network has the average; afterwards its own weights again, to the bit."""
        own = {name: tensor.detach().clone() for name, tensor in _averaged(network).items()}
        _put(network, self.values)
        try:
            yield
        finally:
            _put(network, own)

    def restore(self, values: Mapping[str, Tensor], network: nn.Module) -> None:
        """Go back to the `values` that there were, beside the network's weights."""
        tensors = _averaged(network)
        self.values = {name: value.clone().to(tensors[name].device) for name, value in values.items()}


def _averaged(network: nn.Module) -> dict[str, Tensor]:
    named = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {name: tensor for name, tensor in named.items() if tensor.is_floating_point()}


@torch.no_grad()
def _put(network: nn.Module, values: Mapping[str, Tensor]) -> None:
    for name, tensor in _averaged(network).items():
        if name in values:
            tensor.copy_(values[name])
