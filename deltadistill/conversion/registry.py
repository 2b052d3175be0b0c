"""The selectors of what to convert, by the names that params.yaml uses."""

from deltadistill.registry import Registry

SELECTORS = Registry(
    "selector",
    {
        "inner_convolutions": "deltadistill.conversion.selectors:inner_convolutions",
        "all_convolutions": "deltadistill.conversion.selectors:all_convolutions",
        "published_convolutions": "deltadistill.models.excluded:published_convolutions",
        "inner_layers": "deltadistill.conversion.selectors:inner_layers",
        "all_layers": "deltadistill.conversion.selectors:all_layers",
        "residual_blocks": "deltadistill.conversion.selectors:residual_blocks",
        "whole_network": "deltadistill.conversion.selectors:whole_network",
        "vision_transformers": "deltadistill.conversion.transformers:vision_transformers",
        "transformer_blocks": "deltadistill.conversion.transformers:transformer_blocks",
        "transformer_mlps": "deltadistill.conversion.transformers:transformer_mlps",
    },
)
