"""One line for one wrong value: key, what is allowed, and what was found."""

import re
from typing import Any

from deltadistill.pipeline.params.section import Section

_NAMED_ANEW = {"distill.variants": "distill.trainings", "variants": "trainings (in a sweep)"}
_OF_THE_REPORT = re.compile(r"variants\.(\w+)\.(role|label|colour)")


def fault(details: Any) -> str:
    """Put one of pydantic's error details into words."""
    key = ".".join(str(part) for part in details["loc"]) or "(the whole file)"
    if details["type"] == "extra_forbidden" and key in _NAMED_ANEW:
        return f"{key}: this is {_NAMED_ANEW[key]} now"
    if details["type"] == "extra_forbidden" and (found := _OF_THE_REPORT.fullmatch(key)):
        return f"{key}: this is write_report.shown_as.{found[1]}.{found[2]} now"
    if details["type"] == "extra_forbidden":
        return f"{key}: unknown key; compare the spelling with params.yaml"
    if details["type"] == "missing":
        return f"{key}: missing"
    message = details["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(details["input"], dict | Section) else f" (got {details['input']!r:.200})"
    return f"{key}: {message}{shown}"
