"""Accuracy against MACs amortised per frame."""

from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import labels, style
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.summary import Point, Summary, is_per_frame
from deltadistill.pipeline.results.variants import Role, leading

LABELLED_LENGTH = 3  # beside the longest
LABELLED: tuple[Role, ...] = (
    "ours",
    "feature",
    "copy",
)  # T beside every line of a sweep would hide the lines


def draw(summary: Summary) -> Figure:
    """One line a variant over its MACs, each point a sequence length T; up and to the left is better."""
    drawn, (axes,) = style.figure()
    look = looks(summary.shown)
    for name, points in summary.variants.items():
        lengths = sorted(points)[:1] if is_per_frame(points) else sorted(points)
        shown = [points[length] for length in lengths]
        style.line(
            axes,
            [point.gmacs for point in shown],
            [point.score for point in shown],
            [point.score_std for point in shown],
            label=summary.label(name),
            **look[name].line,
        )
    axes.set_xlim(left=0)
    axes.margins(y=0.12)
    axes.set_xlabel("GMACs per frame, amortised over the sequence")
    style.caption(axes, summary.measure.in_full(summary.reference, unit="%"))
    style.legend(drawn, axes)
    labelled = {leading(summary.shown, role) for role in LABELLED}
    streamed = {
        name: points
        for name, points in summary.variants.items()
        if name in labelled and not is_per_frame(points)
    }
    labels.place(
        axes, [each for name, points in streamed.items() for each in _lengths(points, look[name].color)]
    )
    return drawn


def _lengths(points: dict[int, Point], colour: str) -> list[labels.Label]:
    """T beside the points that matter: 3 and the longest."""
    return [
        labels.Label(f"T = {length}", point.gmacs, point.score, colour)
        for length, point in points.items()
        if length in (LABELLED_LENGTH, max(points))
    ]
