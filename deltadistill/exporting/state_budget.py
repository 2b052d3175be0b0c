"""Blocks left uncompressed so that a stream's maps fit into a budget of memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from deltadistill.account.knapsack import optimal_selection
from deltadistill.blocks.candidates import UNCOMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.layer_times import LayerTimes, Setting
from deltadistill.exporting.running import load
from deltadistill.runtime.graphs import Graphs, bytes_of


def leave_out(
    network: nn.Module, times: LayerTimes, gains: Mapping[str, float], *, most_bytes: float
) -> tuple[list[str], int]:
    """Leave blocks uncompressed, in place, until the maps take no more; return their names, and the memory.

    gains: milliseconds by the name of each block that is compressed. Of all choices that fit, that which
        gains most stays compressed: blocks whose maps are one, as they are only ever summed, together.
    Raises ValueError where maps of other blocks alone take more.
    """
    may_go = {row.name for row in times.rows if row.name in gains and row.uncompressed.map_bytes == 0}
    blocks, out = delta_blocks(network), list[str]()
    while (graphs := _graphs(network, times.setting)).state_bytes > most_bytes:
        groups = _groups(graphs, may_go.difference(out))
        fixed = graphs.state_bytes - sum(group.map_bytes for group in groups)
        if not groups or fixed > most_bytes:
            raise ValueError(
                f"maps take {fixed / 1e6:.1f} MB where {most_bytes / 1e6:g} MB are given, with every block "
                "uncompressed that could be: those of uncompressed candidates that were trained, and of "
                "blocks without a choice; convert fewer layers"
            )
        for name in _without(groups, gains, most_bytes - fixed):
            out.append(name)
            blocks[name].decide(UNCOMPRESSED)
    return out, graphs.state_bytes


@dataclass(frozen=True)
class _Group:
    """Blocks that share maps, so that leaving out one of them alone would free nothing."""

    blocks: tuple[str, ...]
    map_bytes: int


def _groups(graphs: Graphs, may_go: Iterable[str]) -> list[_Group]:
    """Blocks by what they share, without those of which some must stay."""
    together: dict[str, set[str]] = {}
    for names in graphs.joined.values():
        blocks = {block_of(name) for name in names}
        merged = blocks.union(*(together.get(block, set()) for block in blocks))
        together |= dict.fromkeys(merged, merged)
    by_block: dict[str, int] = {}
    for form in graphs.maps:
        block = block_of(form.name)
        by_block[block] = by_block.get(block, 0) + bytes_of([form], graphs.sizes)
    groups = dict.fromkeys(tuple(sorted(merged)) for merged in together.values())
    movable = set(may_go)
    return [
        _Group(group, sum(by_block.get(block, 0) for block in group))
        for group in groups
        if movable.issuperset(group)
    ]


def block_of(map_name: str) -> str:
    """The block whose call a map is of: maps are named block#call.key (exporting/functions.py)."""
    return map_name.rpartition(".")[0].partition("#")[0]


def _without(groups: list[_Group], gains: Mapping[str, float], capacity: float) -> list[str]:
    """Blocks of the groups that do not fit; at least one."""
    by_name = {group.blocks[0]: group for group in groups}
    sizes = {name: float(group.map_bytes) for name, group in by_name.items()}
    worth = {name: sum(gains[block] for block in group.blocks) for name, group in by_name.items()}
    kept = optimal_selection(sizes, capacity, least=0, logits=worth) if capacity > 0 else set()
    return [block for name, group in by_name.items() if name not in kept for block in group.blocks]


def _graphs(network: nn.Module, setting: Setting) -> Graphs:
    """The graphs of the network as it is, whose files are gone."""
    with load(network, setting.example, run=setting.run, pictures=setting.pictures) as loaded:
        return loaded.graphs
