"""How training went: the tune split's accuracy over the steps, and the share of compressed layers."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.results import Results

# One axes each: (what is drawn, field of the curves, factor to percent).
_PANELS = (
    ("pretraining of the teacher: tune {} (%)", "tune_score", 1),
    ("distillation: tune {} (%)", "tune_score", 1),
    ("distillation: compressed layers (%)", "compressed_share", 100),
)


def draw(results: Results) -> Figure:
    """Pretraining above, distillation of each variant in the middle, the search below; one line a seed.

    A panel without a point (a teacher that was not trained here) is left out.
    """
    pretraining = {results.teacher: list(results.teachers.values())}
    distillation = {name: [run.curve for run in runs.values()] for name, runs in results.distilled.items()}
    shown = []
    for (text, field, scale), curves in zip(_PANELS, (pretraining, distillation, distillation), strict=True):
        lines = [
            (name, seed, _points(curve, field)) for name, c in curves.items() for seed, curve in enumerate(c)
        ]
        if any(points for *_, points in lines):
            shown.append((text.format(results.measure.name), scale, lines))
    drawn, all_axes = style.figure(height_inches=0.8 + 1.6 * max(1, len(shown)), rows=max(1, len(shown)))
    look = looks(results.variants, results.distilled)
    for axes, (text, scale, lines) in zip(all_axes, shown, strict=False):
        for name, seed, points in lines:
            axes.plot(
                [step for step, _ in points],
                [scale * value for _, value in points],
                color=look[name].color,
                linestyle=look[name].linestyle,
                marker=look[name].marker if len(points) <= 30 else None,
                markersize=3.5,
                label=results.label(name) if seed == 0 else None,
            )
        style.caption(axes, text)
    all_axes[-1].set_xlabel("training step")
    style.legend(drawn, max(all_axes, key=lambda axes: len(axes.get_legend_handles_labels()[1])))
    return drawn


def _points(curve: Sequence, field: str) -> list[tuple[int, float]]:
    """Steps at which the field was measured, with its values."""
    return [(row.step, getattr(row, field)) for row in curve if getattr(row, field) is not None]
