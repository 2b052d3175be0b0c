"""The page's table of student designs (the paper's Table 4): start, training and what they reach."""

import math
from statistics import mean

from deltadistill.pipeline.report.tables import DASH, Table, basis, number, spread
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.scores import average
from deltadistill.pipeline.results.summary import Point, Summary
from deltadistill.pipeline.results.training_files import LayerError

_SETTINGS = {
    "linear": ("gamma",),
    "channel": ("gamma",),
    "spatial": ("stride",),
    "channel_spatial": ("gamma", "stride"),
}
LENGTHS = (3, 10)


def students_table(results: Results, summary: Summary) -> Table | None:
    """One row a variant with students; None where there is none."""
    rows = [
        (
            results.label(name),
            *_description(results, name),
            *_errors(results, name),
            *_scores(summary.variants[name]),
        )
        for name in results.variants
        if (runs := results.distilled.get(name)) and all(run.architecture for run in runs.values())
    ]
    caption = (
        "Students of each variant. Error: mean over layers of ‖target − student‖² / ‖target‖², before and "
        f"after training, on pairs of the tune split; 1 is a student that predicts nothing. {basis(summary)}"
    )
    at = [f"{summary.accuracy} %, T = {t}" for t in LENGTHS] + [f"GMACs, T = {t}" for t in LENGTHS]
    columns = ("variant", "students", "start", "error, before", "error, after", *at)
    return Table(caption, columns, tuple(rows)) if rows else None


def _description(results: Results, name: str) -> tuple[str, str]:
    """Design and initialisation; only linear students have a choice of the latter."""
    architecture = next(iter(results.distilled[name].values())).architecture
    students = architecture.students
    if students is None:
        return DASH, DASH
    kind = students.get("kind", "linear")
    settings = [f"{key} {students[key]}" for key in _SETTINGS.get(kind, ()) if key in students]
    target = ["of features"] if architecture.predicts == "feature" else []
    design = " ".join([kind.replace("_", " and "), *settings, *target])
    return design, students.get("initialisation", DASH if kind == "linear" else "no change")


def _errors(results: Results, name: str) -> list[str]:
    seeds = [run.layers for run in results.distilled[name].values()]
    cells = []
    for field in ("error_before", "error_after"):
        means = [_mean_error(layers, field) for layers in seeds if layers]
        known = [value for value in means if value is not None]
        cells.append(spread(*average(known), 2) if known and len(known) == len(seeds) else DASH)
    return cells


def _mean_error(layers: tuple[LayerError, ...], field: str) -> float | None:
    """Mean over layers; one whose target never moves has no relative error."""
    errors = [getattr(layer, field) for layer in layers]
    finite = [error for error in errors if math.isfinite(error)]
    return mean(finite) if finite else None


def _scores(points: dict[int, Point]) -> list[str]:
    found = [points.get(length) for length in LENGTHS]
    scores = [spread(point.score, point.score_std, 1) if point else DASH for point in found]
    return scores + [number(point.gmacs if point else None, 3) for point in found]
