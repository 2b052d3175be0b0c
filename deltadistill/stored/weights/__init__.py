"""Weights from files: own ones, the public checkpoints, and ImageNet backbones of the same families."""

from deltadistill.stored.weights.account import COPY, OUTSIDE
from deltadistill.stored.weights.assigning import HARMLESS
from deltadistill.stored.weights.loading import LoadedWeights, load_weights, read_state_dict
from deltadistill.stored.weights.names import (
    COUNTER,
    NO_STUDENTS,
    NO_SUCH_NAME,
    NO_TENSOR,
    REPEATED,
    STUDENT_BIAS,
)

__all__ = [
    "COPY",
    "COUNTER",
    "HARMLESS",
    "NO_STUDENTS",
    "NO_SUCH_NAME",
    "NO_TENSOR",
    "OUTSIDE",
    "REPEATED",
    "STUDENT_BIAS",
    "LoadedWeights",
    "load_weights",
    "read_state_dict",
]
