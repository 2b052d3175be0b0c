"""Delta against feature distillation over a range of costs (the paper's Fig. 5)."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.cost_axis import CostAxis
from deltadistill.pipeline.report.figures.looks import Look, looks
from deltadistill.pipeline.results.equal_cost import LENGTH, has_students, is_everything_compressed
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.summary import Point, Summary
from deltadistill.pipeline.results.variants import Role, called

METHODS: tuple[Role, ...] = ("ours", "feature")
SAME_COST = 0.005  # of the teacher's MACs; less is the rounding to whole blocks


def draw(results: Results, summary: Summary, cost: CostAxis) -> Figure:
    """One line a method through its searched variants at T = 3; all other variants are points."""
    drawn, (axes,) = style.figure()
    look = looks(results.variants)
    points = {name: point for name, point in measured(summary).items() if cost.of(point) is not None}
    on_lines = {method: searched(results, points, method) for method in METHODS}
    for method, names in on_lines.items():
        if names:
            label = called(results.variants, method)
            _plot(axes, [points[name] for name in names], cost, label, look[names[0]])
    alone = [
        name
        for name in points
        if results.variants[name].role != "teacher" and not any(name in line for line in on_lines.values())
    ]
    for name in alone:
        _plot(axes, [points[name]], cost, results.label(name), look[name])
    axes.margins(0.08, 0.12)
    axes.set_xlabel(f"{cost.words} at T = {LENGTH}")
    style.caption(axes, summary.measure.in_full(summary.reference, unit="%"))
    style.legend(drawn, axes, columns=2)
    return drawn


def covers_times(results: Results, summary: Summary) -> bool:
    """Whether at least two searched or compressed networks of one method were timed."""
    points = [name for name, point in measured(summary).items() if point.ms is not None]
    return any(sum(has_students(results, name, method) for name in points) > 1 for method in METHODS)


def covers_costs(results: Results, summary: Summary) -> bool:
    """Whether a method was run at two different costs at least."""
    points = measured(summary)
    costs = [
        [point.macs_ratio for name, point in points.items() if has_students(results, name, method)]
        for method in METHODS
    ]
    return any(max(ratios) - min(ratios) > SAME_COST for ratios in costs if ratios)


def measured(summary: Summary) -> dict[str, Point]:
    """Every variant's point at T = 3."""
    return {name: points[LENGTH] for name, points in summary.variants.items() if LENGTH in points}


def searched(results: Results, points: dict[str, Point], method: Role) -> list[str]:
    """Variants of one method with blocks left uncompressed, the cheapest first."""
    found = [
        name
        for name in points
        if has_students(results, name, method) and not is_everything_compressed(results, name)
    ]
    return sorted(found, key=lambda name: points[name].gmacs)


def _plot(axes: Axes, points: list[Point], cost: CostAxis, label: str, look: Look) -> None:
    style.line(
        axes,
        [cost.of(point) for point in points],
        [point.score for point in points],
        [point.score_std for point in points],
        label=label,
        **look.line | ({"linestyle": "none"} if len(points) == 1 else {}),
    )
