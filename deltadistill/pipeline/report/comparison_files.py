"""comparison.csv and summary.json: the sweep in numbers."""

from pathlib import Path
from typing import Any

from deltadistill.files.result_files import write_csv, write_json
from deltadistill.pipeline.report.comparison_entries import Comparison, Entry, best_settings
from deltadistill.pipeline.report.tables import HEADLINE_LENGTHS
from deltadistill.pipeline.results.summary import Point, named_by_measure

FIGURES = (
    *("score", "score_std", "gmacs", "macs_ratio", "ms", "speedup", "engine"),
    *("end_to_end_ms", "end_to_end_speedup", "consistency", "consistency_std"),
)


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write one row per setting, variant and sequence length; figures in percent, GMACs and ms per frame."""
    keys = list(comparison.listing.keys)
    columns = ["setting", "variant", *keys, "length", *FIGURES, "tune_score", "tune_score_std"]
    write_csv(path, columns, (row for entry in comparison.entries for row in _rows(entry)))


def write_summary(comparison: Comparison, path: Path) -> None:
    """Write what was swept, the best settings by the tune split, their test figures, and what is missing."""
    listing = comparison.listing
    write_json(
        path,
        {
            "sweep": listing.sweep,
            "seeds": listing.seeds,
            "keys": listing.keys,
            "settings": len({entry.setting for entry in comparison.swept}),
            "best_by_tune_split": [
                {
                    "variant": best.entry.variant,
                    "dataset": best.entry.dataset,
                    "setting": best.entry.setting,
                    "values": best.entry.values,
                    "tune_score": best.entry.tune[0],
                    "test": {
                        length: named_by_measure(_known(point), best.entry.measure)
                        for length, point in best.entry.points.items()
                    },
                }
                for best in best_settings(comparison)
            ],
            "unfinished": dict(comparison.unfinished),
        },
    )


def _rows(entry: Entry) -> list[dict[str, Any]]:
    mean, deviation = (None if figure is None else round(figure, 3) for figure in entry.tune or (None, None))
    own = {"setting": entry.setting if entry.swept else "", "variant": entry.variant, **entry.values}
    tune = {"tune_score": mean, "tune_score_std": deviation}
    return [own | {"length": length} | _known(point) | tune for length, point in entry.points.items()]


def _known(point: Point) -> dict[str, float | str]:
    figures = {name: getattr(point, name) for name in FIGURES}
    return {name: value for name, value in figures.items() if value is not None}


def headline(comparison: Comparison) -> dict[str, float]:
    """Test figures of the best settings, to compare executions by."""
    bests = best_settings(comparison)
    return {
        f"best_{best.entry.variant}_T{length}_{best.entry.measure.key}": point.score
        for best in bests
        for length, point in best.entry.points.items()
        if length in HEADLINE_LENGTHS
    }
