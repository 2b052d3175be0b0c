"""Whole videos over time: each one's score, and below it the updates of those variants that learn."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.videos_file import WindowScore

Courses = dict[str, dict[str, tuple[WindowScore, ...]]]
"""Video → variant → its windows."""


def courses(results: Results) -> Courses:
    """The windows of variants that were run over whole videos, of the first seed and schedule with any."""
    found: Courses = {}
    for name, by_seed in results.videos.items():
        schedules = by_seed[results.seeds[0]].schedules.values()
        windows = next((of.windows for of in schedules if of.windows), {})
        for video, course in windows.items():
            found.setdefault(video, {})[name] = course
    return found


def draw(results: Results) -> Figure:
    """Two panels a video, one below the other; a point stands in the middle of its window."""
    found, look = courses(results), looks(results.variants)
    drawn, axes = style.figure(height_inches=0.8 + 2.4 * len(found), rows=2 * len(found), sharex=True)
    for (video, of), above, below in zip(found.items(), axes[::2], axes[1::2], strict=True):
        for name, windows in of.items():
            label = results.label(name)
            _line(above, windows, [window.score for window in windows], label=label, **look[name].line)
            if any(window.updates for window in windows):
                updates = [window.updates * window.frames for window in windows]
                _line(below, windows, updates, label=label, **look[name].line)
        style.caption(above, f"{video}: {results.measure.name} (%)")
        style.caption(below, f"{video}: updates of a window")
    axes[-1].set_xlabel("seconds")
    style.legend(drawn, axes[0])
    return drawn


def _line(axes: Axes, windows: tuple[WindowScore, ...], values: list[float | None], **look: object) -> None:
    lengths = [after.begins - before.begins for before, after in pairwise(windows)]
    half = min(lengths, default=0.0) / 2
    known = [
        (window.begins + half, value)
        for window, value in zip(windows, values, strict=True)
        if value is not None
    ]
    axes.plot([begins for begins, _ in known], [value for _, value in known], **look)
