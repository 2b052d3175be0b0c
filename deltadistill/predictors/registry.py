"""The ways to answer every frame, by the names that params.yaml uses."""

from deltadistill.registry import Registry

PREDICTORS = Registry(
    "predictor",
    {
        "per_frame": "deltadistill.predictors.per_frame:PerFrame",
        "stream": "deltadistill.predictors.streamed:Streamed",
        "copy": "deltadistill.predictors.copy:Copy",
    },
)
