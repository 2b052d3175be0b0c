"""The student designs, by the names that params.yaml and architecture files use."""

from deltadistill.registry import Registry

DESIGNS = Registry(
    "student design",
    {
        "linear": "deltadistill.blocks.linear:LinearStudent",
        "channel": "deltadistill.blocks.nonlinear:ChannelStudent",
        "spatial": "deltadistill.blocks.nonlinear:SpatialStudent",
        "channel_spatial": "deltadistill.blocks.nonlinear:ChannelSpatialStudent",
        "reduced": "deltadistill.blocks.reduced:ReducedResolution",
        "adaptive_width": "deltadistill.blocks.adaptive_width:AdaptiveWidth",
        "residual_tokens": "deltadistill.blocks.residual_tokens:ResidualTokens",
    },
)
