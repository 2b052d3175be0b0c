"""The method's building blocks: students, gates, and the blocks that join them with their teacher."""

from deltadistill.blocks.candidates import COMPRESSED, DECISION, UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock, FeatureBlock, Student
from deltadistill.blocks.gate import Gate
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.nonlinear import (
    ChannelSpatialStudent,
    ChannelStudent,
    NonlinearBlock,
    SpatialStudent,
)

__all__ = [
    "COMPRESSED",
    "DECISION",
    "UNCOMPRESSED",
    "ChannelSpatialStudent",
    "ChannelStudent",
    "DeltaBlock",
    "FeatureBlock",
    "Gate",
    "LinearStudent",
    "NonlinearBlock",
    "SpatialStudent",
    "Student",
]
