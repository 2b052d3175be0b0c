"""Schedules of key frames by name, with options: of the library, or of one's own."""

import inspect
from collections.abc import Mapping
from typing import Any

from deltadistill.blocks.schedules import KeySchedule
from deltadistill.predictors.registry import SCHEDULES


def build_schedule(name: str, options: Mapping[str, Any] | None = None) -> KeySchedule:
    """Make the schedule `name`, named as in SCHEDULES.

    options: of its constructor. ValueError for one that it does not take or needs, or that cannot be meant.
    """
    kind, options = SCHEDULES.find(name), dict(options or {})
    signature = inspect.signature(kind)
    try:
        signature.bind(**options)
    except TypeError as error:
        taken = ", ".join(map(str, signature.parameters.values())) or "none"
        raise ValueError(
            f"schedule of key frames {name!r}: {error} among its options; it takes {taken}"
        ) from None
    try:
        made: KeySchedule = kind(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"schedule of key frames {name!r}: {error}") from None
    return made
