"""Accuracy against what a frame costs, MACs or time, amortised over the sequence, or what a stream needs."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deltadistill.account.front import front
from deltadistill.pipeline.report.figures import labels, style
from deltadistill.pipeline.report.figures.cost_axis import CostAxis
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.summary import Point, Summary, is_per_frame
from deltadistill.pipeline.results.variants import Role, leading

FRONT = "Pareto front"
_PALE = 0.15
LABELLED_LENGTH = 3  # beside the longest
LABELLED: tuple[Role, ...] = (
    "ours",
    "feature",
    "copy",
)  # T beside every line of a sweep would hide the lines


def draw(summary: Summary, cost: CostAxis) -> Figure:
    """One line a variant over its cost, each point a sequence length T; up and to the left is better.

    Points whose cost is not known are left out. Among rivals the Pareto front is marked.
    """
    drawn, (axes,) = style.figure()
    look = looks(summary.shown)
    variants = {name: points for name, of in summary.variants.items() if (points := _known(of, cost))}
    for name, points in variants.items():
        lengths = sorted(points)[:1] if is_per_frame(points) else sorted(points)
        shown = [points[length] for length in lengths]
        style.line(
            axes,
            [cost.of(point) for point in shown],
            [point.score for point in shown],
            [point.score_std for point in shown],
            label=summary.label(name),
            **look[name].line,
        )
    if has_rivals(summary):
        _mark(axes, [summary.variants[name][length] for name, length in on_front(summary, cost)], cost)
    axes.set_xlim(left=0)
    axes.margins(y=0.12)
    axes.set_xlabel(cost.label)
    style.caption(axes, summary.measure.in_full(summary.reference, unit="%"))
    style.legend(drawn, axes)
    labelled = {leading(summary.shown, role) for role in LABELLED}
    streamed = {
        name: points for name, points in variants.items() if name in labelled and not is_per_frame(points)
    }
    labels.place(
        axes, [each for name, points in streamed.items() for each in _lengths(points, cost, look[name].color)]
    )
    return drawn


def has_rivals(summary: Summary) -> bool:
    """Whether a variant is none of those that every comparison has."""
    return any(variant.role == "rival" for variant in summary.shown.values())


def on_front(summary: Summary, cost: CostAxis) -> list[tuple[str, int]]:
    """The variants and sequence lengths that no other beats at no more cost, the cheapest first."""
    known = {
        (name, length): (x, point.score)
        for name, points in summary.variants.items()
        for length, point in points.items()
        if (x := cost.of(point)) is not None
    }
    return front(known)


def _mark(axes: Axes, points: list[Point], cost: CostAxis) -> None:
    """A pale line behind the points of the front, from the cheapest to the best."""
    across, scores = [cost.of(point) for point in points], [point.score for point in points]
    axes.plot(
        across,
        scores,
        color=style.INK,
        alpha=_PALE,
        linewidth=7,
        solid_capstyle="round",
        zorder=0,
        label=FRONT,
    )


def _known(points: dict[int, Point], cost: CostAxis) -> dict[int, Point]:
    return {length: point for length, point in points.items() if cost.of(point) is not None}


def _lengths(points: dict[int, Point], cost: CostAxis, colour: str) -> list[labels.Label]:
    """T beside the points that matter: 3 and the longest."""
    return [
        labels.Label(f"T = {length}", cost.of(point), point.score, colour)
        for length, point in points.items()
        if length in (LABELLED_LENGTH, max(points))
    ]
