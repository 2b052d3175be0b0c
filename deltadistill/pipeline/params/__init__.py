"""The experiment's parameters: params.yaml as typed, frozen, validated objects."""

from deltadistill.pipeline.params.dataset import PrepareDataset
from deltadistill.pipeline.params.distill import Distill, DistillOptimiser
from deltadistill.pipeline.params.experiment import Params
from deltadistill.pipeline.params.losses import DistillLoss
from deltadistill.pipeline.params.reading import load, load_sweep, parse
from deltadistill.pipeline.params.students import Search
from deltadistill.pipeline.params.sweep import ParameterSweep
from deltadistill.pipeline.params.training import (
    NO_WEIGHTS,
    OWN_WEIGHTS,
    PretrainTeacher,
    Training,
)

__all__ = [
    "NO_WEIGHTS",
    "OWN_WEIGHTS",
    "Distill",
    "DistillLoss",
    "DistillOptimiser",
    "ParameterSweep",
    "Params",
    "PrepareDataset",
    "PretrainTeacher",
    "Search",
    "Training",
    "load",
    "load_sweep",
    "parse",
]
