"""The ways to answer every frame, and the schedules of key frames, by the names that parameters use."""

from deltadistill.registry import Registry

PREDICTORS = Registry(
    "predictor",
    {
        "per_frame": "deltadistill.predictors.per_frame:PerFrame",
        "stream": "deltadistill.predictors.streamed:Streamed",
        "copy": "deltadistill.predictors.copy:Copy",
        "moved": "deltadistill.predictors.moved:Moved",
        "tracked": "deltadistill.predictors.tracked:Tracked",
        "deep_feature_flow": "deltadistill.predictors.deep_feature_flow:DeepFeatureFlow",
        "skip_convolutions": "deltadistill.predictors.skip_convolutions:SkipConvolutions",
        "gated_tokens": "deltadistill.predictors.gated_tokens:GatedTokens",
        "adaptive_width": "deltadistill.predictors.adaptive_width:AdaptiveWidths",
        "merged_tokens": "deltadistill.predictors.merged_tokens:PerFrameMerged",
        "low_resolution": "deltadistill.predictors.low_resolution:LowResolution",
        "moved_stream": "deltadistill.predictors.moved_stream:MovedStream",
        "checked_stream": "deltadistill.predictors.checked_stream:CheckedStream",
        "moved_between": "deltadistill.predictors.moved_between:MovedBetween",
        "online": "deltadistill.predictors.online:Online",
    },
)

SCHEDULES = Registry(
    "schedule of key frames",
    {
        "fixed": "deltadistill.blocks.schedules:FixedPeriod",
        "gaps": "deltadistill.blocks.schedules:Gaps",
        "on_demand": "deltadistill.blocks.schedules:OnDemand",
        "adaptive": "deltadistill.blocks.schedules:Adaptive",
        "at_rate": "deltadistill.blocks.schedules:AtRate",
    },
)
