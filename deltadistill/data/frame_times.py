"""Times of frames in a manifest: a column `seconds` that is there where the source has times."""

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import itemgetter
from statistics import median

EXPECTED = "are not a number from 0"
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,20})?(e-\d{1,2})?", re.ASCII)


def written(seconds: float | None) -> str:
    """The field of a frame; empty without a time."""
    return "" if seconds is None else repr(float(seconds))


def is_readable(text: str) -> bool:
    """Whether a field is empty or seconds from 0."""
    return not text or bool(_NUMBER.fullmatch(text))


def read(text: str) -> float | None:
    """The seconds in a field that is readable; None where it is empty."""
    return float(text) if text else None


def faults(frames: Iterable[tuple[str, int, float | None]]) -> list[str]:
    """What is wrong with the times of frames, each given as clip, index and seconds."""
    clips: dict[str, list[float | None]] = {}
    for clip, _, seconds in sorted(frames, key=itemgetter(0, 1)):
        clips.setdefault(clip, []).append(seconds)
    found = []
    for clip, times in clips.items():
        known = [seconds for seconds in times if seconds is not None]
        if known and len(known) < len(times):
            found.append(f"clip {clip} has seconds for {len(known)} of its {len(times)} frames; all or none")
        elif not all(math.isfinite(seconds) and seconds >= 0 for seconds in known):
            found.append(f"clip {clip} has seconds that are no numbers from 0")
        elif any(after <= before for before, after in pairwise(known)):
            found.append(f"clip {clip} has seconds that do not rise from frame to frame")
    return found


def frames_per_second(times: Sequence[float | None]) -> float | None:
    """1 / the median step between times in order, in seconds; None where any is unknown, or for one frame."""
    if len(times) < 2 or None in times:
        return None
    step = median(after - before for before, after in pairwise(times))
    return round(1 / step, 3) if step > 0 else None
