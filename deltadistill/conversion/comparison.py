"""A converted network against the one it was made from, per frame: the same outputs, no layer passed over.

A forward that asks for the exact type of its children (`type(m) is nn.Conv2d`) passes over those that became
blocks, and nothing but a run shows it.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.seat import Seat
from deltadistill.conversion.example import Example, first_frame, run_on_example
from deltadistill.conversion.frame_axis import calls_seen
from deltadistill.forward.modes import copy_with_modes, evaluation_mode

_log = logging.getLogger(__name__)

_RELATIVE = 1e-3  # the same operators on the same weights differ by rounding at most
_NAMED = 5  # layers that a message names


@dataclass(frozen=True)
class PerFrameRun:
    """What a network did on one frame: its outputs, and how often each layer was called, by name."""

    outputs: list[Any]
    calls: Counter[str]


def run_before(network: nn.Module, layers: Mapping[str, nn.Module], example: Example) -> PerFrameRun:
    """Run a plain network on the first frame of `example` and count the calls of `layers`."""
    names = {layer: name for name, layer in layers.items()}
    calls: Counter[str] = Counter()
    with calls_seen(list(names), lambda layer, _: calls.update([names[layer]])):
        return PerFrameRun(_outputs(network, example), calls)


class _CallCount:
    """A session that computes per frame by the teacher and counts the calls of every block."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        self.calls[block.name] += 1
        return block.teacher(x)


def require_same(
    converted: nn.Module, seat: Seat, before: PerFrameRun, original: nn.Module, example: Example
) -> None:
    """Raise ValueError unless the converted network does per frame what it did before.

    seat: of the converted network. before: its run as a plain network. original: the network that it is a
    copy of; where its own outputs differ from run to run, the log says that they were not compared.
    """
    with seat.taken_by(_CallCount()) as session:
        outputs = _outputs(converted, example)
    _require_calls(before.calls, session.calls)
    if all_close(outputs, before.outputs):
        return
    twin = copy_with_modes(original)
    if not all_close(_outputs(twin, example), _outputs(twin, example)):
        _log.warning(
            "the outputs of the network differ from run to run on the example; only which layers run was "
            "compared with the converted network"
        )
        return
    raise ValueError(
        "the converted network gives other outputs per frame on the example than the original, though every "
        "block was called; its forward may read something of a layer that a block has not: leave that layer "
        "out in `where`"
    )


def _require_calls(before: Counter[str], after: Counter[str]) -> None:
    missed = [name for name, calls in before.items() if after[name] < calls]
    if not missed:
        return
    more = f" and {len(missed) - _NAMED} more" if len(missed) > _NAMED else ""
    raise ValueError(
        f"the network passes over {len(missed)} of {len(before)} layers once they are converted: "
        f"{missed[:_NAMED]}{more} were called on the example before and are not now; its forward may ask for "
        "their exact type: ask `isinstance(m, nn.Conv2d)` instead of `type(m) is nn.Conv2d`, or leave them "
        "out in `where`"
    )


@torch.no_grad()
def _outputs(network: nn.Module, example: Example) -> list[Any]:
    arguments = first_frame(example)
    with evaluation_mode(network), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        leaves = tree_leaves(run_on_example(network, arguments))
    return [leaf.detach().clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]


def all_close(one: list[Any], other: list[Any]) -> bool:
    """Whether the leaves of two outputs are the same but for rounding; of non-tensors, their types."""
    if len(one) != len(other):
        return False
    return all(map(_close, one, other))


def _close(one: Any, other: Any) -> bool:
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return type(one) is type(other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if torch.equal(one, other) or not one.numel():
        return True
    one, other = (torch.view_as_real(t) if t.is_complex() else t for t in (one, other))
    one, other = one.double(), other.double()
    scale = other.nan_to_num(0.0, 0.0, 0.0).abs().max().item()
    return torch.allclose(one, other, rtol=_RELATIVE, atol=_RELATIVE * scale, equal_nan=True)
