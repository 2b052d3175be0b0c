"""Designs of students to try, the likeliest first: how narrow, and in which layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from deltadistill.account.machine import describe_processor
from deltadistill.blocks.candidates import COMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.linear import LinearStudent
from deltadistill.conversion.convert import convert
from deltadistill.conversion.selectors import inner_layers, matching

_NARROW, _WIDE = 8, 16  # channels that a vector of the processor's holds


@dataclass(frozen=True)
class Design:
    """gamma: how much narrower students are. layers: "spatial", kernels larger than 1×1, or "all"; never the
    first and the last of the network."""

    gamma: int
    layers: str

    @property
    def key(self) -> str:
        """A name for files."""
        return f"gamma{self.gamma}-{self.layers}"

    def __str__(self) -> str:
        where = "kernels larger than 1×1" if self.layers == "spatial" else "all inner layers"
        return f"γ {self.gamma}, {where}"


DESIGNS = (
    Design(8, "spatial"),
    Design(4, "spatial"),
    Design(16, "spatial"),
    Design(8, "all"),
    Design(4, "all"),
)


def by_key(key: str) -> Design:
    """The design of that name; ValueError where there is none."""
    for design in DESIGNS:
        if design.key == key:
            return design
    raise ValueError(f"no design {key!r}")


def made(network: nn.Module, design: Design, clips: Tensor, *, starts: bool = True) -> nn.Module:
    """A delta network that starts from the changes in clips (N, T, 3, h, w), compressed everywhere.

    starts: if not, the students are random, for others to be loaded.

    Raises ValueError where nothing converts.
    """
    students = LinearStudent(
        gamma=design.gamma,
        rank="min",
        multiple=channels_at_once(),
        initialisation="data" if starts else "random",
    )
    where = inner_layers if design.layers == "all" else _spatial(network)
    delta = convert(
        network, students, where, clips=clips if starts else None, example=clips[:2, 0], progress=False
    ).eval()
    for block in delta_blocks(delta).values():
        block.decide(COMPRESSED)
    return delta


def _spatial(network: nn.Module):
    inner = set(inner_layers(network))
    return matching(lambda name, module: name in inner and max(_kernel(module)) > 1)


def _kernel(module: nn.Module) -> Sequence[int]:
    return cast(Sequence[int], getattr(module, "kernel_size", (1, 1)))


def channels_at_once() -> int:
    """Channels that convolutions here take at a time: ranks below a multiple of it save nothing."""
    features = cast(Sequence[str], describe_processor()["features"])
    return _WIDE if "avx512" in features else _NARROW
