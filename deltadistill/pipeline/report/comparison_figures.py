"""The figures of a sweep: all settings over their cost, and accuracy over each key that is a number."""

from collections.abc import Iterable
from numbers import Real
from typing import Any

from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

from deltadistill.pipeline.report.comparison_entries import Comparison, Entry
from deltadistill.pipeline.report.drawings import Drawing
from deltadistill.pipeline.report.figures import labels, style
from deltadistill.pipeline.report.figures.cost_axis import MACS, SHARE_OF_TIME, CostAxis
from deltadistill.pipeline.report.figures.looks import NEUTRAL, looks

LENGTH = 3  # the sequence length that figures and tables are about, or else the longest
# From low to high values; all of it stands out from a white page and from a dark one.
_COLOURS = LinearSegmentedColormap.from_list("values", ["#2f8fc6", "#8a5fb0", "#d55e00"])
LONGEST_LEGEND = 8
LOGARITHMIC = 20  # a key whose values span more than this factor gets a logarithmic axis


def shown_length(comparison: Comparison) -> int:
    """T = 3 where all was measured there, else the longest that all was measured at."""
    return LENGTH if LENGTH in comparison.lengths else comparison.lengths[-1]


def drawings(comparison: Comparison) -> list[Drawing]:
    """All figures with captions."""
    measure, length = _accuracy(comparison), shown_length(comparison)
    colour = comparison.listing.colour
    over = [
        Drawing(
            f"over_{key.replace('.', '_')}",
            over_key(comparison, key),
            f"Lines of {measure} over {key}, one for each variant and combination of the other values.",
            f"{measure} at T = {length} over {key}; a line joins settings that differ in nothing else.",
        )
        for key in comparison.listing.keys
        if _is_drawn(comparison, key)
    ]
    drawn = [
        Drawing(
            "accuracy_against_macs",
            against_cost(comparison, MACS),
            f"{measure} against GMACs per frame at T = {length} for every setting.",
            f"{measure} against GMACs per frame at T = {length}. Colour: {colour}; shape: variant. Up and "
            "left is better. Grey: what stands beside all settings.",
        )
    ]
    if comparison.is_timed:
        drawn.append(
            Drawing(
                "accuracy_against_time",
                against_cost(comparison, SHARE_OF_TIME),
                f"{measure} against measured time per frame at T = {length} for every setting.",
                f"{measure} against measured time per frame at T = {length}, the network alone, as a share "
                "of the teacher's that took turns with it; each in the engine that is fastest for it.",
            )
        )
    return [*drawn, *over]


def against_cost(comparison: Comparison, cost: CostAxis) -> Figure:
    """A point per setting and variant; the colour tells the value of one key, the marker the variant.

    Points whose cost is not known are left out.
    """
    drawn, (axes,) = style.figure()
    length, key = shown_length(comparison), comparison.listing.colour
    values = distinct(entry.values[key] for entry in comparison.swept)
    look = looks(comparison.variants)
    named: set[str] = set()
    known = [entry for entry in comparison.entries if cost.of(entry.points[length]) is not None]
    for entry in (entry for entry in known if entry.swept):
        value = entry.values[key]
        name = f"{key.rsplit('.', 1)[-1]} {value}"
        _point(axes, entry, length, cost, colour=_colour(value, values), marker=look[entry.variant].marker)
        if name not in named and _is_named(value, values):
            axes.plot([], [], "o", color=_colour(value, values), label=name)
            named.add(name)
    for variant in dict.fromkeys(entry.variant for entry in comparison.swept):
        label = comparison.label(variant)
        axes.plot([], [], look[variant].marker, color=NEUTRAL, fillstyle="none", label=label)
    beside = [entry for entry in known if not entry.swept]
    for entry in beside:
        _point(axes, entry, length, cost, colour=NEUTRAL, marker=look[entry.variant].marker)
    axes.margins(0.12, 0.15)
    axes.set_xlabel(f"{cost.words} at T = {length}")
    style.caption(axes, _accuracy(comparison))
    style.legend(drawn, axes, columns=4)
    points = [(comparison.label(entry.variant), entry.points[length]) for entry in beside]
    labels.place(axes, [labels.Label(name, cost.of(point), point.score, NEUTRAL) for name, point in points])
    return drawn


def over_key(comparison: Comparison, key: str) -> Figure:
    """A line per variant and combination of all other values, over the values of one key."""
    drawn, (axes,) = style.figure(2.6)
    length = shown_length(comparison)
    look = looks(comparison.variants)
    lines = _lines(comparison, key)
    named: set[str] = set()
    for line in lines:
        line.sort(key=lambda entry: entry.values[key])
        variant = line[0].variant
        points = [entry.points[length] for entry in line]
        style.line(
            axes,
            [entry.values[key] for entry in line],
            [point.score for point in points],
            [point.score_std for point in points],
            label=None if variant in named else comparison.label(variant),
            alpha=1 if len(lines) <= LONGEST_LEGEND else 0.5,
            **look[variant].line,
        )
        named.add(variant)
    values = distinct(entry.values[key] for entry in comparison.swept)
    if values[0] > 0 and values[-1] > LOGARITHMIC * values[0]:
        axes.set_xscale("log")
    axes.set_xlabel(key)
    style.caption(axes, f"{_accuracy(comparison)}, T = {length}")
    style.legend(drawn, axes)
    return drawn


def distinct(values: Iterable[Any]) -> list[Any]:
    """Every value once, numbers in rising order before all else."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return sorted(
        found, key=lambda value: (not _is_number(value), value if _is_number(value) else str(value))
    )


def _is_drawn(comparison: Comparison, key: str) -> bool:
    values = distinct(entry.values[key] for entry in comparison.swept)
    return len(values) > 1 and all(map(_is_number, values))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _lines(comparison: Comparison, key: str) -> list[list[Entry]]:
    """Entries that differ in `key` alone."""
    lines: dict[str, list[Entry]] = {}
    for entry in comparison.swept:
        others = {name: value for name, value in entry.values.items() if name != key}
        lines.setdefault(f"{entry.variant} {others}", []).append(entry)
    return list(lines.values())


def _point(axes: Any, entry: Entry, length: int, cost: CostAxis, *, colour: str, marker: str) -> None:
    point = entry.points[length]
    axes.errorbar(
        [cost.of(point)],
        [point.score],
        yerr=point.score_std or None,
        color=colour,
        marker=marker,
        linestyle="none",
    )


def _colour(value: Any, values: list[Any]) -> str:
    """By rank: values are often spaced by factors."""
    return to_hex(_COLOURS(values.index(value) / max(1, len(values) - 1)))


def _is_named(value: Any, values: list[Any]) -> bool:
    """Whether the legend names a value: all of a few, else the lowest, the middle and the highest."""
    return len(values) <= LONGEST_LEGEND or values.index(value) in (0, len(values) // 2, len(values) - 1)


def _accuracy(comparison: Comparison) -> str:
    return comparison.measure.in_full(comparison.reference, unit="%")
