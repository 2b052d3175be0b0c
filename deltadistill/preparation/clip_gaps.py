"""Cuts shots where frames are missing: a sequence must not reach over a gap as if it were one step.

A gap is where a frame says that something before it was lost, and where a step in time is longer than some
multiple of the video's median step.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median


def long_steps(times: Mapping[Path, float], longest: float | None) -> dict[Path, float]:
    """The frames that come more than `longest` median steps after the one before → by how many seconds.

    times: of a video's frames, in order. longest: None for no such limit.
    """
    steps = {path: times[path] - times[before] for before, path in pairwise(times)}
    if not steps or longest is None:
        return {}
    usual = median(steps.values())
    return {path: step for path, step in steps.items() if step > longest * usual}


def pieces(shot: Sequence[Path], gaps: Collection[Path]) -> list[list[Path]]:
    """The frames of a shot, cut before each that is in `gaps`."""
    cut: list[list[Path]] = []
    for path in shot:
        if not cut or path in gaps:
            cut.append([])
        cut[-1].append(path)
    return cut
