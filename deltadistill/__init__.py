"""Delta distillation for efficient video processing (Habibian et al., ECCV 2022).

The public names are loaded when they are first used: many small processes of the pipeline need no torch.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING

_HOMES = {
    "AdaptiveWidth": "deltadistill.blocks.adaptive_width",
    "ChannelSpatialStudent": "deltadistill.blocks.nonlinear",
    "ChannelStudent": "deltadistill.blocks.nonlinear",
    "CostTable": "deltadistill.account.candidate_costs",
    "LinearStudent": "deltadistill.blocks.linear",
    "SpatialStudent": "deltadistill.blocks.nonlinear",
    "PictureForm": "deltadistill.runtime.picture_form",
    "ReducedResolution": "deltadistill.blocks.reduced",
    "ResidualTokens": "deltadistill.blocks.residual_tokens",
    "Runner": "deltadistill.runtime.runner",
    "Stream": "deltadistill.blocks.stream",
    "Streams": "deltadistill.blocks.streams",
    "all_convolutions": "deltadistill.conversion.selectors",
    "all_layers": "deltadistill.conversion.selectors",
    "apply_architecture": "deltadistill.stored.architecture",
    "choose_ranks": "deltadistill.distillation.rank_choice",
    "choose_by_time": "deltadistill.exporting.choosing_by_time",
    "conversion_report": "deltadistill.conversion.report",
    "convert": "deltadistill.conversion.convert",
    "count_macs": "deltadistill.account.macs",
    "count_memory": "deltadistill.account.memory",
    "deploy": "deltadistill.conversion.convert",
    "distill": "deltadistill.distillation.label_free",
    "export": "deltadistill.exporting.export",
    "fast_multiple": "deltadistill.account.machine",
    "forward_clip": "deltadistill.blocks.stream",
    "found_architecture": "deltadistill.stored.architecture",
    "inner_convolutions": "deltadistill.conversion.selectors",
    "inner_layers": "deltadistill.conversion.selectors",
    "load_network": "deltadistill.stored.architecture",
    "load_weights": "deltadistill.stored.weights",
    "matching": "deltadistill.conversion.selectors",
    "measure_layers": "deltadistill.exporting.measuring",
    "residual_blocks": "deltadistill.conversion.selectors",
    "save_network": "deltadistill.stored.network_file",
    "transformer_blocks": "deltadistill.conversion.transformers",
    "transformer_mlps": "deltadistill.conversion.transformers",
    "vision_transformers": "deltadistill.conversion.transformers",
    "whole_network": "deltadistill.conversion.selectors",
}
_MODULES = ("models",)
_OF_TORCH = ("torch", "torchvision", "safetensors")

__all__ = [*_HOMES, *_MODULES]

if TYPE_CHECKING:
    from deltadistill import models as models
    from deltadistill.account.candidate_costs import CostTable as CostTable
    from deltadistill.account.machine import fast_multiple as fast_multiple
    from deltadistill.account.macs import count_macs as count_macs
    from deltadistill.account.memory import count_memory as count_memory
    from deltadistill.blocks.adaptive_width import AdaptiveWidth as AdaptiveWidth
    from deltadistill.blocks.linear import LinearStudent as LinearStudent
    from deltadistill.blocks.nonlinear import ChannelSpatialStudent as ChannelSpatialStudent
    from deltadistill.blocks.nonlinear import ChannelStudent as ChannelStudent
    from deltadistill.blocks.nonlinear import SpatialStudent as SpatialStudent
    from deltadistill.blocks.reduced import ReducedResolution as ReducedResolution
    from deltadistill.blocks.residual_tokens import ResidualTokens as ResidualTokens
    from deltadistill.blocks.stream import Stream as Stream
    from deltadistill.blocks.stream import forward_clip as forward_clip
    from deltadistill.blocks.streams import Streams as Streams
    from deltadistill.conversion.convert import convert as convert
    from deltadistill.conversion.convert import deploy as deploy
    from deltadistill.conversion.report import conversion_report as conversion_report
    from deltadistill.conversion.selectors import all_convolutions as all_convolutions
    from deltadistill.conversion.selectors import all_layers as all_layers
    from deltadistill.conversion.selectors import inner_convolutions as inner_convolutions
    from deltadistill.conversion.selectors import inner_layers as inner_layers
    from deltadistill.conversion.selectors import matching as matching
    from deltadistill.conversion.selectors import residual_blocks as residual_blocks
    from deltadistill.conversion.selectors import whole_network as whole_network
    from deltadistill.conversion.transformers import transformer_blocks as transformer_blocks
    from deltadistill.conversion.transformers import transformer_mlps as transformer_mlps
    from deltadistill.conversion.transformers import vision_transformers as vision_transformers
    from deltadistill.distillation.label_free import distill as distill
    from deltadistill.distillation.rank_choice import choose_ranks as choose_ranks
    from deltadistill.exporting.choosing_by_time import choose_by_time as choose_by_time
    from deltadistill.exporting.export import export as export
    from deltadistill.exporting.measuring import measure_layers as measure_layers
    from deltadistill.runtime.picture_form import PictureForm as PictureForm
    from deltadistill.runtime.runner import Runner as Runner
    from deltadistill.stored.architecture import apply_architecture as apply_architecture
    from deltadistill.stored.architecture import found_architecture as found_architecture
    from deltadistill.stored.architecture import load_network as load_network
    from deltadistill.stored.network_file import save_network as save_network
    from deltadistill.stored.weights import load_weights as load_weights

    __version__: str


def __getattr__(name: str) -> object:
    if name == "__version__":
        return metadata.version("deltadistill")
    if name in _MODULES:
        return import_module(f"deltadistill.{name}")
    if name not in _HOMES:
        raise AttributeError(f"deltadistill has no name {name!r}; it has {', '.join(__all__)}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in _OF_TORCH:
            raise
        raise ImportError(
            f"deltadistill.{name} needs PyTorch, which is not installed; pip install 'deltadistill[torch]'"
        ) from error


def __dir__() -> list[str]:
    return [*globals(), *__all__]
