"""Designs of students to try, the likeliest first: how narrow, and in which layers."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from torch import Tensor, nn

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.timing import Name
from deltadistill.account.machine import describe_processor
from deltadistill.blocks.candidates import COMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.linear import LinearStudent
from deltadistill.conversion.convert import convert
from deltadistill.conversion.selectors import inner_layers, matching
from deltadistill.exporting.choosing_by_time import choose_by_time
from deltadistill.exporting.measuring import measure_layers

_NARROW, _WIDE = 8, 16  # channels that a vector of the processor's holds


@dataclass(frozen=True)
class Design:
    """gamma: how much narrower students are. layers: "spatial", kernels larger than 1×1, "all", or "timed",
    those whose students save time; never the first and the last of the network. names: of these, once they
    are known. predicts: "delta" with key frames, or "feature" on every frame, without any."""

    gamma: int
    layers: str
    names: tuple[str, ...] = ()
    predicts: str = "delta"

    @property
    def key(self) -> str:
        """A name for files."""
        return f"gamma{self.gamma}-{self.layers}" + ("" if self.predicts == "delta" else "-alone")

    def students_key(self, steps: int) -> str:
        """The name of students of these layers that were trained for so many steps."""
        which = f"-{zlib.crc32(' '.join(self.names).encode()):08x}" if self.names else ""
        return f"{self.key}{which}/{steps}"

    def __str__(self) -> str:
        return f"γ {self.gamma}, {_WHERE[self.layers]}"


_WHERE = {
    "spatial": "kernels larger than 1×1",
    "all": "all inner layers",
    "timed": "layers that save time",
}


DESIGNS = (
    Design(8, "spatial"),
    Design(4, "spatial"),
    Design(16, "spatial"),
    Design(8, "timed"),
    Design(16, "timed"),
    Design(8, "all"),
    Design(4, "all"),
)
ALONE = Design(4, "all", predicts="feature")


def by_key(key: str, names: Sequence[str] = ()) -> Design:
    """The design of that name, for these layers where they are known; ValueError where there is none."""
    for design in (*DESIGNS, ALONE):
        if design.key == key:
            return replace(design, names=tuple(names))
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
    delta = convert(
        network,
        students,
        _where(network, design),
        predicts=design.predicts,
        clips=clips if starts else None,
        example=clips[:2, 0],
        progress=False,
    ).eval()
    for block in delta_blocks(delta).values():
        block.decide(COMPRESSED)
    return delta


def saving_time(case: Case, delta: nn.Module, name: Name, *, length: int, seconds: float) -> tuple[str, ...]:
    """Names of the layers of a delta network whose students cost less in an engine and precision."""
    times = measure_layers(
        delta,
        case.example(),
        engine=name[0],
        precision=name[1],
        threads=case.threads,
        length=length,
        pictures=case.pictures,
        seconds=seconds,
    )
    return choose_by_time(delta, times, check=False, progress=False).compressed


def _where(network: nn.Module, design: Design):
    if design.names:
        return matching(lambda name, module: name in design.names)
    return _spatial(network) if design.layers == "spatial" else inner_layers


def _spatial(network: nn.Module):
    inner = set(inner_layers(network))
    return matching(lambda name, module: name in inner and max(_kernel(module)) > 1)


def _kernel(module: nn.Module) -> Sequence[int]:
    return cast(Sequence[int], getattr(module, "kernel_size", (1, 1)))


def channels_at_once() -> int:
    """Channels that convolutions here take at a time: ranks below a multiple of it save nothing."""
    features = cast(Sequence[str], describe_processor()["features"])
    return _WIDE if "avx512" in features else _NARROW
