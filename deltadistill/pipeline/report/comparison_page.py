"""The page of a sweep: the best settings, a table of all, and the figures; one file that fetches nothing."""

import json
from typing import Any

from deltadistill.pipeline.report.comparison_entries import Best, Comparison, Entry, best_settings
from deltadistill.pipeline.report.comparison_figures import drawings, shown_length
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.report.rendering import render_page
from deltadistill.pipeline.report.tables import DASH, HEADLINE_LENGTHS, Table, factor, number, spread
from deltadistill.pipeline.results.summary import Point
from deltadistill.pipeline.results.variants import called


def render(comparison: Comparison) -> str:
    """Return the page as HTML. ValueError where it would exceed 6 MB."""
    listing = comparison.listing
    return render_page(
        "comparison.html.j2",
        {
            "title": f"Sweep {listing.sweep.replace('_', ' ')}",
            "lead": _lead(comparison),
            "tune": comparison.measure.name,
            "best": [_sentence(best, comparison) for best in best_settings(comparison)],
            "beside": _table(comparison, [entry for entry in comparison.entries if not entry.swept]),
            "settings": _table(comparison, comparison.swept),
            "figures": drawings(comparison),
            "looks": {comparison.label(name): look for name, look in looks(comparison.variants).items()},
            "ours": called(comparison.variants, "ours"),
            "unfinished": comparison.unfinished,
        },
    )


def written(value: Any) -> str:
    """A value as the parameter file has it."""
    return value if isinstance(value, str) else json.dumps(value)


def _lead(comparison: Comparison) -> list[str]:
    listing = comparison.listing
    settings = len({entry.setting for entry in comparison.swept})
    seeds = ", ".join(map(str, listing.seeds))
    spread_of = (
        f"Mean ± standard deviation over seeds {seeds}."
        if len(listing.seeds) > 1
        else f"One seed ({seeds}), so no spread is known: small differences mean nothing."
    )
    variants = ", ".join(dict.fromkeys(comparison.label(entry.variant) for entry in comparison.swept))
    return [
        f"{settings} settings of {variants} over {', '.join(listing.keys)}; {number(comparison.minutes, 0)} "
        "minutes of stages in all.",
        f"Figures are of the test split, in percent. {spread_of}",
    ]


def _sentence(best: Best, comparison: Comparison) -> str:
    entry, length = best.entry, shown_length(comparison)
    label = comparison.label(entry.variant)
    values = ", ".join(f"{key} {written(value)}" for key, value in entry.values.items())
    point, accuracy = entry.points[length], comparison.measure.against(comparison.reference)
    told_apart = {
        None: "",
        0: "; no other setting lies within the spread of its seeds",
    }.get(best.within, f"; {best.within} of the {best.rivals} others lie within the spread of its seeds")
    return (
        f"{label}: {values} ({spread(*entry.tune, 2)} on the tune split{told_apart}). On the test "
        f"split: {spread(point.score, point.score_std, 2)} {accuracy} at {point.macs_ratio:.3f} "
        f"of the teacher's MACs{_speed(point)}, T = {length}."
    )


def _speed(point: Point) -> str:
    if point.speedup is None:
        return ""
    return f" and {factor(point.speedup)} the speed of its fastest engine ({point.engine})"


def _table(comparison: Comparison, entries: list[Entry]) -> Table:
    lengths = [length for length in HEADLINE_LENGTHS if length in comparison.lengths] or comparison.lengths
    shown, accuracy = shown_length(comparison), comparison.measure.against(comparison.reference)
    swept = all(entry.swept for entry in entries)
    keys = [key for key in comparison.listing.keys if swept or not key.startswith("distill.")]
    columns = (
        "variant",
        *(key.replace(".", ". ") for key in keys),
        "tune",
        *(f"{accuracy}, T = {length}" for length in lengths),
        f"GMACs, T = {shown}",
        f"ratio, T = {shown}",
        *([f"speed-up, T = {shown}"] if comparison.is_timed else []),
        f"consist\u00adency, T = {shown}",
    )
    rows = [
        (comparison.label(entry.variant), *_cells(entry, keys, lengths, shown, timed=comparison.is_timed))
        for entry in entries
    ]
    caption = (
        f"Every setting. Tune: {comparison.measure.name} on the tune split at the step that was kept, by the "
        "setting itself."
        if swept
        else "Measured once, beside all settings."
    )
    return Table(caption, columns, tuple(rows))


def _cells(entry: Entry, keys: list[str], lengths: list[int], shown: int, *, timed: bool) -> tuple[str, ...]:
    point = entry.points[shown]
    return (
        *(written(entry.values[key]) for key in keys),
        spread(*entry.tune, 2) if entry.tune else DASH,
        *(spread(entry.points[length].score, entry.points[length].score_std, 2) for length in lengths),
        f"{point.gmacs:.3f}",
        f"{point.macs_ratio:.3f}",
        *([factor(point.speedup)] if timed else []),
        spread(point.consistency, point.consistency_std, 2),
    )
