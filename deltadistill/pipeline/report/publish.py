"""What the report leaves beside its page: figures and animations for a README, figures for tracking."""

from pathlib import Path

from deltadistill.files import atomic
from deltadistill.pipeline.report.animation import animate, longest
from deltadistill.pipeline.report.figures import accuracy_against_cost, against_length, style
from deltadistill.pipeline.report.figures.cost_axis import MACS, MEMORY, TIME, compares_memory
from deltadistill.pipeline.report.paint import palette
from deltadistill.pipeline.report.scenes import Scene
from deltadistill.pipeline.report.side_by_side import (
    FILE_NAME,
    has_side_by_side,
    side_by_side,
    small_side_by_side,
)
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.summary import Summary
from deltadistill.pipeline.results.variants import leading

HEADLINE_LENGTHS = (3, 10)


def write_figures(summary: Summary, folder: Path) -> list[Path]:
    """Write the figures that say most as PNG; returns their paths."""
    figures = {}
    if not summary.is_of_single_frames:
        figures[f"{summary.measure.key}_against_length.png"] = against_length.draw_accuracy(summary)
    figures["accuracy_against_macs.png"] = accuracy_against_cost.draw(summary, MACS)
    figures["accuracy_against_time.png"] = accuracy_against_cost.draw(summary, TIME)
    if compares_memory(summary):
        figures["accuracy_against_memory.png"] = accuracy_against_cost.draw(summary, MEMORY)
    for name, figure in figures.items():
        with atomic.file(folder / name) as unfinished:
            style.to_png(figure, unfinished)
    return [folder / name for name in figures]


def write_animations(results: Results, scenes: tuple[Scene, ...], folder: Path) -> list[Path]:
    """Write an animated clip, and for an unlabelled video teacher and delta side by side; returns paths."""
    table = palette([info.color for info in results.dataset.classes])
    contents = {"clip.webp": animate(longest(scenes), table).moving} if scenes else {}
    if has_side_by_side(results, scenes):
        contents["overlay.webp"] = small_side_by_side(scenes, table)
        contents[FILE_NAME] = side_by_side(scenes, table)
    with atomic.folder(folder) as unfinished:
        for name, content in contents.items():
            (unfinished / name).write_bytes(content)
    return [folder / name for name in contents]


def headline_figures(summary: Summary) -> dict[str, float | None]:
    """Figures to compare executions by, named like ``delta_T3_miou``.

    The variant comes first, since MLflow cuts the end of a long name off.
    """
    key = summary.measure.key
    teacher, ours = (leading(summary.shown, role) for role in ("teacher", "ours"))
    figures = {f"{teacher}_{key}": summary.teacher.score}
    for name, points in summary.variants.items():
        for length in HEADLINE_LENGTHS:
            if length in points and name != teacher:
                figures[f"{name}_T{length}_{key}"] = points[length].score
    for length, point in summary.points_of("ours").items():
        if length in HEADLINE_LENGTHS:
            figures[f"{ours}_T{length}_macs_ratio"] = point.macs_ratio
            figures[f"{ours}_T{length}_speedup"] = point.speedup
            figures[f"{ours}_T{length}_consistency"] = point.consistency
    return figures
