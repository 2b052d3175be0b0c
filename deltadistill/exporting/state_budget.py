"""Blocks left uncompressed so that a stream's maps fit into a budget of memory."""

from collections.abc import Mapping

from torch import nn

from deltadistill.blocks.candidates import UNCOMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.layer_times import LayerTimes, Setting
from deltadistill.exporting.running import load


def leave_out(
    network: nn.Module, times: LayerTimes, gains: Mapping[str, float], *, most_bytes: float
) -> tuple[list[str], int]:
    """Leave blocks uncompressed, in place, until the maps take no more; return their names, and the memory.

    gains: milliseconds by the name of each block that is compressed; those go first that gain least for
        their memory. Maps that are only ever summed are one, so that the first of two to go may free nothing.
    Raises ValueError where maps of other blocks alone take more.
    """
    sizes = {row.name: row.compressed.map_bytes - row.uncompressed.map_bytes for row in times.rows}
    left = sorted((name for name in gains if sizes[name] > 0), key=lambda name: gains[name] / sizes[name])
    blocks, out = delta_blocks(network), list[str]()
    while (present := _state_bytes(network, times.setting)) > most_bytes:
        if not left:
            raise ValueError(
                f"maps take {present / 1e6:.1f} MB where {most_bytes / 1e6:g} MB are given, with every block "
                "uncompressed that could be: those of uncompressed candidates that were trained, and of "
                "blocks without a choice; convert fewer layers"
            )
        while left and present > most_bytes:
            out.append(left.pop(0))
            blocks[out[-1]].decide(UNCOMPRESSED)
            present -= sizes[out[-1]]
    return out, present


def _state_bytes(network: nn.Module, setting: Setting) -> int:
    """Memory of a stream's maps as graphs of the network hand them over, bytes."""
    with load(network, setting.example, run=setting.run, pictures=setting.pictures) as loaded:
        return loaded.graphs.state_bytes
