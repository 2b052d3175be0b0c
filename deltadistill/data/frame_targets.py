"""What a frame is labelled with as a whole: a column `target` of numbers, there where any frame has one.

Of classes it is the index; what another number means is up to the task.
"""

import math
import re

EXPECTED = "is not a finite number"
_NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?(e[+-]?\d{1,3})?", re.ASCII)


def written(target: float | None) -> str:
    """The field of a frame; empty without a target. Whole numbers, as classes are, have no point."""
    if target is None:
        return ""
    if not math.isfinite(target):
        raise ValueError(f"a target is {target}; expected a finite number, or None for a frame without one")
    return str(int(target)) if target == int(target) and abs(target) < 2**53 else repr(float(target))


def is_readable(text: str) -> bool:
    """Whether a field is empty or a finite number."""
    return not text or (bool(_NUMBER.fullmatch(text)) and math.isfinite(float(text)))


def read(text: str) -> float | None:
    """The target in a field that is readable; None where it is empty."""
    return float(text) if text else None
