"""Delta against feature distillation over a range of costs (the paper's Fig. 5)."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import Look, looks
from deltadistill.pipeline.results.equal_cost import LENGTH, is_everything_compressed, predicted
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.summary import Point, Summary

METHODS = ("delta", "feature")
SAME_COST = 0.005  # of the teacher's MACs; less is the rounding to whole blocks


def draw(results: Results, summary: Summary) -> Figure:
    """One line a method through its searched variants at T = 3; all other variants are points."""
    drawn, (axes,) = style.figure()
    look = looks(summary.variants)
    points = measured(summary)
    on_lines = {method: searched(results, points, method) for method in METHODS}
    for method, names in on_lines.items():
        if names:
            _plot(axes, [points[name] for name in names], method, look[names[0]])
    alone = [
        name for name in points if name != "teacher" and not any(name in line for line in on_lines.values())
    ]
    for name in alone:
        _plot(axes, [points[name]], name, look[name])
    axes.margins(0.08, 0.12)
    axes.set_xlabel(f"GMACs per frame at T = {LENGTH}")
    style.caption(axes, summary.measure.in_full(summary.reference, unit="%"))
    style.legend(drawn, axes, columns=2)
    return drawn


def covers_costs(results: Results, summary: Summary) -> bool:
    """Whether a method was run at two different costs at least."""
    points = measured(summary)
    costs = [
        [point.macs_ratio for name, point in points.items() if _has_students_of(results, name, method)]
        for method in METHODS
    ]
    return any(max(ratios) - min(ratios) > SAME_COST for ratios in costs if ratios)


def measured(summary: Summary) -> dict[str, Point]:
    """Every variant's point at T = 3."""
    return {name: points[LENGTH] for name, points in summary.variants.items() if LENGTH in points}


def searched(results: Results, points: dict[str, Point], method: str) -> list[str]:
    """Variants of one method with blocks left uncompressed, the cheapest first."""
    found = [
        name
        for name in points
        if _has_students_of(results, name, method) and not is_everything_compressed(results, name)
    ]
    return sorted(found, key=lambda name: points[name].gmacs)


def _has_students_of(results: Results, name: str, method: str) -> bool:
    return results.variants[name] == "stream" and predicted(results, name) == method


def _plot(axes: Axes, points: list[Point], label: str, look: Look) -> None:
    deviations = [point.score_std or 0 for point in points]
    axes.errorbar(
        [point.gmacs for point in points],
        [point.score for point in points],
        yerr=deviations if any(deviations) else None,
        label=label,
        **look.line | ({"linestyle": "none"} if len(points) == 1 else {}),
    )
