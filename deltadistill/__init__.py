"""Delta distillation for efficient video processing (Habibian et al., ECCV 2022).

The public names are loaded when they are first used: many small processes of the pipeline need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

_HOMES = {
    "ChannelSpatialStudent": "deltadistill.blocks",
    "ChannelStudent": "deltadistill.blocks",
    "CostTable": "deltadistill.distillation.costs",
    "LinearStudent": "deltadistill.blocks",
    "SpatialStudent": "deltadistill.blocks",
    "Stream": "deltadistill.stream",
    "all_convolutions": "deltadistill.conversion",
    "all_layers": "deltadistill.conversion",
    "apply_architecture": "deltadistill.architecture",
    "conversion_report": "deltadistill.conversion",
    "convert": "deltadistill.conversion",
    "count_macs": "deltadistill.macs",
    "deploy": "deltadistill.conversion",
    "distill": "deltadistill.distillation.label_free",
    "forward_clip": "deltadistill.stream",
    "found_architecture": "deltadistill.architecture",
    "inner_convolutions": "deltadistill.conversion",
    "inner_layers": "deltadistill.conversion",
    "load_network": "deltadistill.architecture",
    "load_weights": "deltadistill.weights",
    "matching": "deltadistill.conversion",
    "residual_blocks": "deltadistill.conversion",
    "save_network": "deltadistill.network_file",
}
_MODULES = ("models",)

__all__ = [*_HOMES, *_MODULES]

if TYPE_CHECKING:
    from deltadistill import models as models
    from deltadistill.architecture import apply_architecture as apply_architecture
    from deltadistill.architecture import found_architecture as found_architecture
    from deltadistill.architecture import load_network as load_network
    from deltadistill.blocks import ChannelSpatialStudent as ChannelSpatialStudent
    from deltadistill.blocks import ChannelStudent as ChannelStudent
    from deltadistill.blocks import LinearStudent as LinearStudent
    from deltadistill.blocks import SpatialStudent as SpatialStudent
    from deltadistill.conversion import all_convolutions as all_convolutions
    from deltadistill.conversion import all_layers as all_layers
    from deltadistill.conversion import conversion_report as conversion_report
    from deltadistill.conversion import convert as convert
    from deltadistill.conversion import deploy as deploy
    from deltadistill.conversion import inner_convolutions as inner_convolutions
    from deltadistill.conversion import inner_layers as inner_layers
    from deltadistill.conversion import matching as matching
    from deltadistill.conversion import residual_blocks as residual_blocks
    from deltadistill.distillation.costs import CostTable as CostTable
    from deltadistill.distillation.label_free import distill as distill
    from deltadistill.macs import count_macs as count_macs
    from deltadistill.network_file import save_network as save_network
    from deltadistill.stream import Stream as Stream
    from deltadistill.stream import forward_clip as forward_clip
    from deltadistill.weights import load_weights as load_weights


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"deltadistill.{name}")
    if name not in _HOMES:
        raise AttributeError(f"deltadistill has no name {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
