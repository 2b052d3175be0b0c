"""The student designs by the names that params.yaml and architecture files use."""

from collections.abc import Mapping
from typing import Any

from deltadistill.blocks.delta import Student
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.nonlinear import ChannelSpatialStudent, ChannelStudent, SpatialStudent

DESIGNS = {
    "linear": LinearStudent,
    "channel": ChannelStudent,
    "spatial": SpatialStudent,
    "channel_spatial": ChannelSpatialStudent,
}


def shape_design(settings: Mapping[str, Any]) -> Student:
    """Make the design as far as shapes go: a start from data, which needs clips, becomes the SVD's."""
    settings = dict(settings)
    if settings.get("initialisation") == "data":
        settings["initialisation"] = "svd"
    return student_design(settings)


def student_design(settings: Mapping[str, Any]) -> Student:
    """Make the design that its `as_dict` described.

    Raises ValueError for an unknown kind, TypeError for settings that the kind does not have.
    """
    settings = dict(settings)
    kind = settings.pop("kind", None)
    if kind not in DESIGNS:
        raise ValueError(f"students of kind {kind!r} are unknown; allowed: {sorted(DESIGNS)}")
    return DESIGNS[kind](**settings)
