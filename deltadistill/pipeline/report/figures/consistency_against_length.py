"""Temporal consistency above, accuracy below, against T: a copied frame is consistent and wrong."""

from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.summary import Summary, is_per_frame

CARRIED = {
    "exact": "exact flow, visible pixels",
    "dis": "DIS flow, visible pixels",
    "tracks": "detections along true tracks",
    "classes": "equal top-1 where the truth stays",
}


def draw(summary: Summary) -> Figure:
    """Two axes over the same sequence lengths."""
    drawn, (above, below) = style.figure(height_inches=4.8, rows=2, sharex=True)
    look = looks(summary.variants)
    for name, points in summary.variants.items():
        lengths = sorted(length for length, point in points.items() if point.consistency is not None)
        for axes, field in ((above, "consistency"), (below, "score")):
            deviations = [getattr(points[length], f"{field}_std") or 0 for length in lengths]
            axes.errorbar(
                lengths,
                [getattr(points[length], field) for length in lengths],
                yerr=deviations if any(deviations) else None,
                label=name,
                **(look[name].level if is_per_frame(points) else look[name].line),
            )
    style.length_axis(below, sorted({length for points in summary.variants.values() for length in points}))
    style.caption(above, f"consistency (%), {CARRIED[summary.consistency_flow]}")
    style.caption(below, summary.measure.in_full(summary.reference, unit="%"))
    style.legend(drawn, below)
    return drawn
