"""The ways to answer every frame, and the schedules of key frames, by the names that parameters use."""

from deltadistill.registry import Registry

PREDICTORS = Registry(
    "predictor",
    {
        "per_frame": "deltadistill.predictors.per_frame:PerFrame",
        "stream": "deltadistill.predictors.streamed:Streamed",
        "copy": "deltadistill.predictors.copy:Copy",
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
    },
)
