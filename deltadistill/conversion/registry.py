"""The selectors of what to convert, by the names that params.yaml uses."""

from deltadistill.registry import Registry

SELECTORS = Registry(
    "selector",
    {
        "inner_convolutions": "deltadistill.conversion.convert:inner_convolutions",
        "all_convolutions": "deltadistill.conversion.convert:all_convolutions",
        "published_convolutions": "deltadistill.models.excluded:published_convolutions",
        "inner_layers": "deltadistill.conversion.convert:inner_layers",
        "all_layers": "deltadistill.conversion.convert:all_layers",
        "residual_blocks": "deltadistill.conversion.convert:residual_blocks",
    },
)
