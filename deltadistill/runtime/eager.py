"""The engine that runs the network as it is, by PyTorch: the measure for all others.

Key frame: z_0 by the teacher of every block. Delta frame: by its student. For a linear student g without
bias z_t = z_0 + g(x_t − x_0) = c_0 + g(x_t) with c_0 = z_0 − g(x_0): the one map c_0 takes the place of x_0,
z_0 and the subtraction, for the price of g(x_0) on the key frame. Other blocks have the state that they
themselves keep. Outputs agree with those of a Stream up to rounding, on key frames exactly.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks, seat_of
from deltadistill.blocks.delta_rule import DeltaRule
from deltadistill.blocks.seat import Session
from deltadistill.runtime.engine import Maps

_LINEAR = (nn.Conv2d, nn.Linear)

Plan = Mapping[str, tuple[str, ...]]
"""The names of the maps that each call of a block makes on a key frame, by the name of the call."""


def load(network: nn.Module, example: Tensor) -> "Eager":
    """Make a delta network ready for frames of the example's shape; engine.Engine says what may be given.

    The example runs once, which names the maps. The network is not copied: weights that change are seen.
    """
    if not delta_blocks(network):
        raise ValueError("the network has no converted blocks; make a delta network with convert first")
    if network.training:
        raise ValueError("the network is in training mode; call eval() before an engine takes it")
    calls = _KeyCalls()
    _run(network, example, calls)
    return Eager(network, example.shape, calls.plan)


class Eager:
    """A delta network, the shape of its frames and the names of its maps; no state."""

    def __init__(self, network: nn.Module, shape: torch.Size, plan: Plan):
        self._network = network
        self._shape = shape
        self._plan = plan

    def key(self, frame: Tensor) -> tuple[Any, Maps]:
        """Outputs and maps of a key frame (N, C, H, W)."""
        self._require_shape(frame)
        calls = _KeyCalls()
        outputs = _run(self._network, frame, calls)
        return outputs, calls.maps

    def delta(self, frame: Tensor, maps: Maps) -> Any:
        """Outputs of a later frame (N, C, H, W); ValueError for maps of another network."""
        self._require_shape(frame)
        expected = {name for names in self._plan.values() for name in names}
        if missing := sorted(expected - set(maps)):
            raise ValueError(
                f"{len(missing)} of {len(expected)} maps are missing, {missing[0]!r} among them; give what "
                "`key` of this network returned"
            )
        return _run(self._network, frame, _DeltaCalls(maps, self._plan))

    def _require_shape(self, frame: Tensor) -> None:
        if frame.shape != self._shape:
            raise ValueError(
                f"a frame of shape {tuple(frame.shape)}, where the engine was loaded for "
                f"{tuple(self._shape)}; load it again with an example of the new shape"
            )


@torch.no_grad()
def _run(network: nn.Module, frame: Tensor, calls: Session) -> Any:
    with seat_of(network).taken_by(calls):
        return network(frame)


class _Calls:
    """Names the blocks' calls within one frame: a block may run several times."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def name(self, block: DeltaBlock) -> str:
        count = self._counts.get(block.name, 0)
        self._counts[block.name] = count + 1
        return f"{block.name}#{count}" if count else block.name


class _KeyCalls(_Calls):
    """Every block by its teacher; `maps` is what later frames need."""

    def __init__(self) -> None:
        super().__init__()
        self.maps: dict[str, Tensor] = {}
        self.plan: dict[str, tuple[str, ...]] = {}

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        name = self.name(block)
        z, state = _key(block, x)
        made = {f"{name}.{key}": tensor for key, tensor in state.items()}
        self.plan[name] = tuple(made)
        self.maps |= made
        return z


class _DeltaCalls(_Calls):
    """Every block by its student, from the maps of the key frame."""

    def __init__(self, maps: Maps, plan: Plan):
        super().__init__()
        self._maps = maps
        self._plan = plan

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        name = self.name(block)
        if name not in self._plan:
            raise ValueError(f"the block {block.name!r} runs more often on a delta frame than on a key frame")
        state = tuple(self._maps[key] for key in self._plan[name])
        if student := linear_student(block):
            (c_0,) = state
            return c_0 + student(x)
        z, _ = block.delta(x, state)
        return z


def _key(block: DeltaBlock, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The teacher's output, and what later frames need, by name; new tensors, which nothing else changes."""
    if student := linear_student(block):
        z = block.teacher(x)
        return z, {"c_0": z - student(x)}
    z, state = block.key(x)
    return z, {str(number): tensor for number, tensor in enumerate(state)}


def linear_student(block: DeltaBlock) -> Callable[[Tensor], Tensor] | None:
    """The chosen candidate where it is linear and its difference is added to the key frame's output."""
    if type(block.rule) is not DeltaRule:
        return None
    student = getattr(block, block.choice)
    layers = [module for module in student.modules() if not isinstance(module, nn.Sequential)]
    is_linear = all(type(layer) in _LINEAR and layer.bias is None for layer in layers)
    return student if is_linear else None
