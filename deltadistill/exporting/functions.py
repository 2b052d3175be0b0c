"""A delta network as pure functions of flat tensors: of any frame by the teacher, of key and delta frames.

    frame(frame) → outputs              what the per-frame network says
    key(frame)   → outputs, maps        the same, and what later frames need
    delta(frame, maps) → outputs

Nothing is kept between two calls, so that the functions can be compiled, exported, and shared by videos.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks, seat_of
from deltadistill.blocks.seat import PerFrameSession, Session
from deltadistill.exporting.folding import fold_batch_norm
from deltadistill.exporting.forms import Form, form_of
from deltadistill.exporting.pictures import Prepared
from deltadistill.exporting.structure import flatten
from deltadistill.forward.kept_bytes import kept_bytes
from deltadistill.forward.modes import copy_with_modes
from deltadistill.forward.outputs import frame_outputs
from deltadistill.runtime.picture_form import PictureForm
from deltadistill.runtime.structure import Structure, names

Run = Callable[[nn.Module, Tensor], Any]


@dataclass(frozen=True)
class DeltaFunctions:
    """The three functions, as modules over flat tensors, for frames like `example`.

    frame: example → outputs. key: example → outputs and maps. delta: example and maps → outputs.
    example: a frame as the functions take it: float (N, C, H, W), or uint8 (N, H, W, 3) with `pictures`.
    maps: the key frame's maps for the example, by name, in the order of `key` and `delta`.
    outputs: names of the outputs; structure: the form in which the network returns them.
    folded: the batch norms that are no longer there. is_plain: whether the network has no blocks, so that all
        three functions are the same.
    """

    frame: nn.Module
    key: nn.Module
    delta: nn.Module
    example: Tensor
    maps: dict[str, Tensor]
    outputs: list[str]
    structure: Structure
    folded: list[str]
    is_plain: bool = False

    @property
    def state_bytes(self) -> int:
        """Memory of the maps, bytes."""
        return kept_bytes(self.maps.values())


@torch.no_grad()
def delta_functions(
    network: nn.Module,
    example: Tensor,
    *,
    run: Run | None = None,
    pictures: PictureForm | None = None,
    fold: bool = True,
) -> DeltaFunctions:
    """Make the functions of a delta network; of a plain network `key` is `frame` and `delta` is the same.

    network: in evaluation mode; it is copied, so that weights that change later are not seen.
    example: a frame (N, C, H, W) as the network takes it; with `pictures` one (N, H, W, 3) of uint8.
    run: how the network is run on frames; None: `frame_outputs`, its tensors per frame.
    pictures: how pictures become frames, which the functions then do themselves.
    fold: whether batch norm goes into the layers before it.
    Raises ValueError for a network in training mode, and for outputs that are not trees of tensors.
    """
    if network.training:
        raise ValueError("the network is in training mode; call eval() before it is exported")
    run = run or frame_outputs
    if pictures is not None:
        run = Prepared(pictures, run)
    network = copy_with_modes(network).requires_grad_(False)
    folded = fold_batch_norm(network, lambda copy: run(copy, example)) if fold else []
    whole = _Whole(network, run)
    calls = KeyCalls(network)
    with _seated(network, calls):
        _, structure = flatten(run(network, example))
    return DeltaFunctions(
        frame=_Frame(whole).eval(),
        key=_Key(whole, calls.forms, list(calls.maps)).eval(),
        delta=_Delta(whole, calls.forms, list(calls.maps)).eval(),
        example=example,
        maps=dict(calls.maps),
        outputs=names(structure),
        structure=structure,
        folded=folded,
        is_plain=not calls.forms,
    )


class _Whole(nn.Module):
    """The network and how it is run."""

    def __init__(self, network: nn.Module, run: Run):
        super().__init__()
        self.network = network
        self._run = run

    def run(self, frame: Tensor, session: Session) -> list[Tensor]:
        with _seated(self.network, session):
            tensors, _ = flatten(self._run(self.network, frame))
        return tensors


def _seated(network: nn.Module, session: Session) -> Any:
    if not delta_blocks(network):
        return torch.no_grad()
    return seat_of(network).taken_by(session)


class _Frame(nn.Module):
    """frame → outputs, by the teacher."""

    def __init__(self, whole: _Whole):
        super().__init__()
        self.whole = whole

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.whole.run(frame, PerFrameSession()))


class _Key(nn.Module):
    """frame → outputs, maps."""

    def __init__(self, whole: _Whole, forms: dict[str, Form], names: Sequence[str]):
        super().__init__()
        self.whole = whole
        self._forms = forms
        self._names = names

    def forward(self, frame: Tensor) -> tuple[Tensor, ...]:
        calls = KeyCalls(self.whole.network, self._forms)
        outputs = self.whole.run(frame, calls)
        return (*outputs, *(calls.maps[name] for name in self._names))


class _Delta(nn.Module):
    """frame, maps → outputs."""

    def __init__(self, whole: _Whole, forms: dict[str, Form], names: Sequence[str]):
        super().__init__()
        self.whole = whole
        self._forms = forms
        self._names = names

    def forward(self, frame: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        calls = DeltaCalls(self._forms, dict(zip(self._names, maps, strict=True)))
        return tuple(self.whole.run(frame, calls))


class _Calls:
    """Names the blocks' calls within one frame: a block may run several times."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def name(self, block: DeltaBlock) -> str:
        """Name of the next call of a block in this frame."""
        count = self._counts.get(block.name, 0)
        self._counts[block.name] = count + 1
        return f"{block.name}#{count}" if count else block.name


class KeyCalls(_Calls):
    """Every block as on a key frame; `maps` is what later frames need, by the name of the call."""

    def __init__(self, network: nn.Module, forms: dict[str, Form] | None = None):
        super().__init__()
        self.maps: dict[str, Tensor] = {}
        self.forms = (
            {name: form_of(block) for name, block in delta_blocks(network).items()}
            if forms is None
            else forms
        )

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        """See `Session`."""
        name = self.name(block)
        z, maps = self.forms[block.name].key(x)
        self.maps |= {f"{name}.{key}": tensor for key, tensor in maps.items()}
        return z


class DeltaCalls(_Calls):
    """Every block as on a delta frame, from the maps of its key frame."""

    def __init__(self, forms: dict[str, Form], maps: dict[str, Tensor]):
        super().__init__()
        self._forms = forms
        self._maps: dict[str, dict[str, Tensor]] = {}
        for name, tensor in maps.items():
            call, _, key = name.rpartition(".")
            self._maps.setdefault(call, {})[key] = tensor

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        """See `Session`."""
        return self._forms[block.name].delta(x, self._maps.get(self.name(block), {}))
