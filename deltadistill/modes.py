"""Modules keep their own training mode: a frozen batch norm inside a training network stays frozen."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def modes_kept(*networks: nn.Module) -> Iterator[None]:
    """Give every module its own mode back afterwards, whatever `train` and `eval` did inside."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the with statement."""
    with modes_kept(network):
        network.eval()
        yield
