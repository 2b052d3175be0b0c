"""Accuracy against sequence length T (the paper's Fig. 6), and temporal consistency above it."""

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.summary import Point, Summary, is_per_frame

CARRIED = {
    "exact": "exact flow, visible pixels",
    "dis": "DIS flow, visible pixels",
    "tracks": "detections along true tracks",
    "classes": "equal top-1 where the truth stays",
}


def draw_accuracy(summary: Summary) -> Figure:
    """One line a variant over T, error bars: standard deviation over seeds."""
    drawn, (axes,) = style.figure()
    _lines(summary, {"score": axes}, lambda point: True)
    _finish(drawn, axes, summary)
    return drawn


def draw_consistency(summary: Summary) -> Figure:
    """Consistency above, accuracy below, over the same T: a copied frame is consistent and wrong."""
    drawn, (above, below) = style.figure(height_inches=4.8, rows=2, sharex=True)
    _lines(summary, {"consistency": above, "score": below}, lambda point: point.consistency is not None)
    style.caption(
        above, f"consistency (%), {CARRIED.get(summary.consistency_flow, summary.consistency_flow)}"
    )
    _finish(drawn, below, summary)
    return drawn


def _lines(summary: Summary, fields: dict[str, Axes], is_shown: Callable[[Point], bool]) -> None:
    look = looks(summary.shown)
    for name, points in summary.variants.items():
        shown = {length: points[length] for length in sorted(points) if is_shown(points[length])}
        for field, axes in fields.items():
            style.line(
                axes,
                list(shown),
                [getattr(point, field) for point in shown.values()],
                [getattr(point, f"{field}_std") for point in shown.values()],
                label=summary.label(name),
                **(look[name].level if is_per_frame(points) else look[name].line),
            )


def _finish(drawn: Figure, axes: Axes, summary: Summary) -> None:
    style.length_axis(axes, sorted({length for points in summary.variants.values() for length in points}))
    style.caption(axes, summary.measure.in_full(summary.reference, unit="%"))
    style.legend(drawn, axes)
