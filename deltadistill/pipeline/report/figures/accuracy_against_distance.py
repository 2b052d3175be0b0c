"""Accuracy per distance to the key frame, at the longest sequence length."""

from statistics import mean

from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.scores import average, length_score


def draw(results: Results) -> Figure:
    """One line a variant over the distance d to the key frame, error bars over seeds."""
    length = longest(results)
    drawn, (axes,) = style.figure(height_inches=4.4)
    look = looks(results.variants)
    for name in results.variants:
        curves = [_curve(results, name, seed, length) for seed in results.seeds]
        if not all(curves):
            continue
        columns = [average(list(column)) for column in zip(*curves, strict=True)]
        style.line(
            axes,
            range(len(columns)),
            [value for value, _ in columns],
            [deviation for _, deviation in columns],
            label=results.label(name),
            **(look[name].level if results.is_per_frame(name) else look[name].line),
        )
    axes.set_xticks(range(length))
    axes.set_xlabel(f"distance to the key frame (frames), T = {length}")
    style.caption(axes, results.measure.in_full(results.reference, unit="%"))
    style.legend(drawn, axes)
    return drawn


def longest(results: Results) -> int:
    """Return the largest T that any variant was measured at."""
    return max(t for by_seed in results.sweeps.values() for sweep in by_seed.values() for t in sweep.lengths)


def _curve(results: Results, name: str, seed: int, length: int) -> tuple[float, ...]:
    record = length_score(results, name, seed, length)
    if record is None:
        return ()
    if len(record.per_distance) == length:
        return record.per_distance
    return (mean(record.per_distance),) * length  # a per-frame network knows no distance
