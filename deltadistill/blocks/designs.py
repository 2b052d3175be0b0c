"""The student designs by the names that params.yaml and architecture files use."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from deltadistill.blocks.delta import Student
from deltadistill.blocks.registry import DESIGNS

_LARGEST = 2**16  # of a setting that divides channels or resolution


def shape_design(settings: Mapping[str, Any]) -> Student:
    """Make the design as far as shapes go: students start at random, which takes no time to work out."""
    starts = {"initialisation": "random"} if "initialisation" in _by_name(settings) else {}
    return student_design({**settings, **starts})


def fresh_design(settings: Mapping[str, Any]) -> Student:
    """Make the design for students without clips: a start from data becomes the SVD's."""
    from_data = _by_name(settings).get("initialisation") == "data"
    return student_design({**settings, **({"initialisation": "svd"} if from_data else {})})


def _by_name(settings: Any) -> Mapping[str, Any]:
    if not isinstance(settings, Mapping):
        raise ValueError(f"the students are {settings!r:.50}; expected their kind and settings by name")
    return settings


def student_design(settings: Mapping[str, Any]) -> Student:
    """Make the design that its `as_dict` described.

    Raises ValueError for an unknown kind, for settings that the kind does not have, and for values that it
    does not take.
    """
    settings = dict(settings)
    kind = settings.pop("kind", None)
    if not isinstance(kind, str) or kind not in DESIGNS:
        raise ValueError(f"students of kind {kind!r:.50} are unknown; allowed: {sorted(DESIGNS)}")
    design = DESIGNS.find(kind)
    types = {field.name: field.type for field in fields(design)}
    for name, value in settings.items():
        if name not in types:
            raise ValueError(f"{kind} students have no setting {name!r:.50}; they have {', '.join(types)}")
        if types[name] in (int, bool) and type(value) is not types[name]:
            raise ValueError(f"{name} of students is {value!r:.50}; expected {types[name].__name__}")
        if types[name] is int and value > _LARGEST:
            raise ValueError(
                f"{name} {value} of students is above {_LARGEST}, more than any layer's channels"
            )
    return design(**settings)
