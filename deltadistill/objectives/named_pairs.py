"""Names of modules in a network and in its teacher whose maps an objective compares, as options give them."""

from collections.abc import Callable, Mapping, Sequence

from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.objectives.setting import Setting

Modules = Sequence[str] | Mapping[str, str] | str | None
"""Names of modules in both networks, or {own: the teacher's}; one name; None: as `named_pairs` is told."""


def named_pairs(
    setting: Setting,
    modules: Modules,
    objective: str,
    *,
    without: Callable[[Setting], Sequence[str]] | None = None,
) -> list[tuple[str, str]]:
    """Names of modules in the network and in the teacher; ValueError where there are none.

    without: the names where options give none; None: the last converted block at each size of maps.
    """
    if modules is None:
        modules = (without or last_block_at_each_size)(setting)
    if isinstance(modules, str):
        modules = [modules]
    pairs = list(modules.items()) if isinstance(modules, Mapping) else [(name, name) for name in modules]
    if not pairs:
        raise ValueError(
            f"objective {objective} has no modules to look at: the network has no converted blocks that make "
            "maps; name modules, options: {modules: [NAME]}"
        )
    return pairs


def last_block_at_each_size(setting: Setting) -> list[str]:
    """Names of the last converted blocks that make maps, one for each size of maps."""
    last: dict[tuple[int, ...], str] = {}
    for name, maps in setting.maps_of(list(delta_blocks(setting.network))).items():
        for made in maps:
            if made.dim() == 4:
                last[tuple(made.shape[2:])] = name
    return list(last.values())
