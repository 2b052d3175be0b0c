"""Batch norm of a student that learns from one frame at a time: whose statistics it normalises with."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from deltadistill.forward.modes import modes_kept

BatchNorm = Literal["frozen", "running", "per_update"]
"""Statistics. "frozen": those it came with. "running": updates normalise by the frame's own, answers by their
running average. "per_update": answers by those of the last update's frame alone. Its scale and shift learn
in any case."""


def prepare(network: nn.Module, batch_norm: BatchNorm) -> BatchNorm:
    """Make a network's batch norm ready; ValueError for an unknown way.

    Returns how it is: "frozen" for a network without any, which then learns as it answers.
    """
    require_known(batch_norm)
    if next(_layers(network), None) is None:
        return "frozen"
    if batch_norm == "per_update":
        for layer in _layers(network):
            layer.momentum = 1.0
    return batch_norm


def require_known(batch_norm: str) -> None:
    """Raise ValueError for a word that is no `BatchNorm`."""
    if batch_norm not in get_args(BatchNorm):
        raise ValueError(f"batch_norm {batch_norm!r} is unknown; allowed: {', '.join(get_args(BatchNorm))}")


@contextmanager
def learning(network: nn.Module, batch_norm: BatchNorm) -> Iterator[None]:
    """Inside, batch norm does as it does in an update; anything else stays as it is.

    A layer that gets one value per channel, behind a mean over a whole frame, keeps to what it has: one value
    has no variance.
    """
    if batch_norm == "frozen":
        yield
        return
    with modes_kept(network), ExitStack() as hooks:
        for layer in _layers(network):
            layer.train()
            hooks.callback(layer.register_forward_pre_hook(_train_on_several_values).remove)
        yield


def _train_on_several_values(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    layer.training = inputs[0].numel() > inputs[0].shape[1]


def _layers(network: nn.Module) -> Iterator[_BatchNorm]:
    return (module for module in network.modules() if isinstance(module, _BatchNorm))
