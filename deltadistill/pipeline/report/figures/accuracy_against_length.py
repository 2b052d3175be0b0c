"""Accuracy against sequence length T (the paper's Fig. 6)."""

from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.summary import Summary, is_per_frame


def draw(summary: Summary) -> Figure:
    """One line a variant over T, error bars: standard deviation over seeds."""
    drawn, (axes,) = style.figure()
    look = looks(summary.variants)
    for name, points in summary.variants.items():
        lengths = sorted(points)
        deviations = [points[length].score_std or 0 for length in lengths]
        axes.errorbar(
            lengths,
            [points[length].score for length in lengths],
            yerr=deviations if any(deviations) else None,
            label=name,
            **(look[name].level if is_per_frame(points) else look[name].line),
        )
    style.length_axis(axes, sorted({length for points in summary.variants.values() for length in points}))
    style.caption(axes, summary.measure.in_full(summary.reference, unit="%"))
    style.legend(drawn, axes)
    return drawn
