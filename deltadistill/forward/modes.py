"""Modules keep their own training mode: a frozen batch norm inside a training network stays frozen."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

from torch import Tensor, nn


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


def copy_with_modes(network: nn.Module) -> nn.Module:
    """Deep copy whose every module is in the mode of its original.

    Networks traced by torch.fx come out of `deepcopy` in training mode; torchvision's extractors among them
    run another graph then, which their own `train` exchanges. Weights that a hook makes before every forward
    (weight norm, pruning) have a history, which `deepcopy` refuses: the copy has their values.
    """
    copy = deepcopy(network, without_histories(network))
    pairs = list(zip(copy.modules(), network.modules(), strict=True))
    for twin, original in pairs:
        if twin.training != original.training:
            twin.train(original.training)
    for twin, original in pairs:
        twin.training = original.training
    return copy


def without_histories(network: nn.Module) -> dict[int, Tensor]:
    """Tensors with a history that are plain attributes of modules, by id, without it: a memo for deepcopy."""
    held = (value for module in network.modules() for value in vars(module).values())
    return {id(t): t.detach().clone() for t in held if isinstance(t, Tensor) and not t.is_leaf}
