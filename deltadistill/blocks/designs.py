"""Student designs from the names and settings that params.yaml and architecture files use."""

import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from deltadistill.blocks.design import Student
from deltadistill.blocks.registry import DESIGNS

_LARGEST = 2**16  # of a setting that divides channels or resolution
_ASKED = ("reason_against", "rule", "candidates", "as_dict")  # of a design


def shape_design(settings: Mapping[str, Any], *, imports: bool = True) -> Student:
    """Make the design as far as shapes go: students start at random, which takes no time to work out."""
    starts = {"initialisation": "random"} if "initialisation" in _by_name(settings) else {}
    return student_design({**settings, **starts}, imports=imports)


def fresh_design(settings: Mapping[str, Any], *, imports: bool = True) -> Student:
    """Make the design for students without clips: a start from data becomes the SVD's."""
    from_data = _by_name(settings).get("initialisation") == "data"
    return student_design({**settings, **({"initialisation": "svd"} if from_data else {})}, imports=imports)


def _by_name(settings: Any) -> Mapping[str, Any]:
    if not isinstance(settings, Mapping):
        raise ValueError(f"the students are {settings!r:.50}; expected their kind and settings by name")
    return settings


def student_design(settings: Mapping[str, Any], *, imports: bool = True) -> Student:
    """Make the design that its `as_dict` described.

    imports: whether a design of your own, of kind package.module:name, may be imported. Settings that come
        with a file must not decide that: False takes only what is imported already.
    Raises ValueError for an unknown kind, for settings that the kind does not have, and for values that it
    does not take.
    """
    settings = dict(settings)
    kind = settings.pop("kind", None)
    if not isinstance(kind, str) or not DESIGNS.knows(kind):
        raise ValueError(f"students of kind {kind!r:.50} are unknown; allowed: {sorted(DESIGNS)}")
    design = _design(kind, imports)
    types = get_type_hints(design)
    names = [field.name for field in fields(design)]
    for name, value in settings.items():
        if name not in names:
            raise ValueError(
                f"{kind} students have no setting {name!r:.50}; they have {', '.join(names) or 'none'}"
            )
        if types[name] in (int, bool) and type(value) is not types[name]:
            raise ValueError(f"{name} of students is {value!r:.50}; expected {types[name].__name__}")
        if types[name] is int and value > _LARGEST:
            raise ValueError(
                f"{name} {value} of students is above {_LARGEST}, more than any layer's channels"
            )
    return design(**settings)


def _design(kind: str, imports: bool) -> type:
    if not imports and kind not in DESIGNS and kind.partition(":")[0] not in sys.modules:
        raise ValueError(
            f"students of kind {kind:.100} are of a module that is not imported, and a file imports nothing; "
            f"import {kind.partition(':')[0]:.100} first, if you trust it"
        )
    design = DESIGNS.find(kind)
    if not (isinstance(design, type) and is_dataclass(design) and all(hasattr(design, n) for n in _ASKED)):
        raise ValueError(
            f"{kind:.100} is no student design; expected a dataclass with {', '.join(_ASKED)}, such as a "
            "subclass of StudentDesign"
        )
    return design
