"""The page's tables of accuracy and consistency, as text cells."""

from collections.abc import Mapping
from dataclasses import dataclass

from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.scores import average, class_scores, length_score
from deltadistill.pipeline.results.summary import Point, Summary

HEADLINE_LENGTHS = (1, 3, 10)
DASH = "–"


@dataclass(frozen=True)
class Table:
    """Cells as text; the first column names the row, the others are figures unless ``words``."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False


def basis(summary: Summary) -> str:
    """What every table of test figures rests on: split, frames, reference, seeds and spread."""
    frames = f"{summary.labelled_frames} labelled frames"
    if summary.reference == "teacher":
        frames = f"{summary.labelled_frames} frames compared with the per-frame teacher"
    seeds = ", ".join(map(str, summary.seeds))
    if len(summary.seeds) > 1:
        return f"Test split, {frames}; mean ± standard deviation over seeds {seeds}."
    return f"Test split, {frames}; one seed ({seeds}), so no spread is known."


def timed(summary: Summary) -> str:
    """What times in tables and figures are, a sentence's end."""
    if summary.timed_on is None:
        return "none was measured."
    return (
        f"the network alone on {summary.timed_on.words}, each variant in the engine that is fastest for it; "
        f"speed-ups are over the teacher on every frame in its own fastest, {summary.timed_on.baseline}."
    )


def headline_tables(summary: Summary) -> list[Table]:
    """One table for each headline T: accuracy, MACs, time and consistency of every variant."""
    times = ("ms", "speed-up") if summary.is_timed else ()
    columns = ("variant", f"{summary.accuracy}, %", "GMACs", "ratio", *times, "consist\u00adency %")
    titles = {1: "T = 1: every frame is a key frame"}
    tables = []
    for length in HEADLINE_LENGTHS:
        rows = [
            (summary.label(name), *_headline_cells(points[length], with_times=summary.is_timed))
            for name, points in summary.variants.items()
            if length in points
        ]
        if rows:
            caption = titles.get(length, f"T = {length}: one key frame in {length}")
            tables.append(Table(caption, columns, tuple(rows)))
    return tables


def per_class_table(results: Results, summary: Summary) -> Table:
    """Score of each class: per-frame variants once, the others at T = 3 and 10."""
    columns = []
    for name in results.variants:
        for length in _lengths(results, name, HEADLINE_LENGTHS[1:]):
            if length in summary.variants[name]:
                label = results.label(name)
                title = label if results.is_per_frame(name) else f"{label}, T = {length}"
                columns.append((title, class_scores(results, name, length), summary.variants[name][length]))
    rows = [
        (info.name, *(spread(*found[info.name], 1) for _, found, _ in columns))
        for info in results.dataset.classes
    ]
    rows.append(("mean", *(spread(point.score, point.score_std, 1) for *_, point in columns)))
    caption = (
        f"{summary.measure.class_name} per class in percent. {basis(summary)} {DASH} marks a class that the "
        "test split lacks."
    )
    return Table(caption, ("class", *(title for title, *_ in columns)), tuple(rows))


def per_clip_table(results: Results, summary: Summary) -> Table | None:
    """Fidelity in every clip (shot) of unlabelled video; None where labels give the accuracy."""
    if summary.reference == "labels":
        return None
    columns, per_column = [], []
    for name in results.variants:
        for length in () if results.is_per_frame(name) else HEADLINE_LENGTHS[1:]:
            if length in summary.variants[name]:
                columns.append(f"{results.label(name)}, T = {length}")
                scores = [length_score(results, name, seed, length) for seed in results.seeds]
                per_column.append([score.per_clip for score in scores])
    clips = sorted({clip for by_seed in per_column for score in by_seed for clip in score})
    rows = [
        (clip, *(_spread_of([score[clip] for score in by_seed]) for by_seed in per_column)) for clip in clips
    ]
    caption = (
        f"Fidelity in percent, shot by shot: {summary.measure.name} with the per-frame teacher over the "
        f"classes that it sees there. A sequence never crosses a scene cut. {basis(summary)}"
    )
    return Table(caption, ("shot", *columns), tuple(rows))


def consistency_table(results: Results, summary: Summary) -> Table:
    """All that predictions were carried along, mask on and off, coverage, and always the accuracy beside."""
    ways = _WAYS.get(summary.consistency_flow) or _own_ways(results)
    heads = [
        _HEADS.get(way, f"{way}, {{}}").format(over) for way, counted in ways.items() for over in counted
    ]
    coverages = [_COVERAGES.get(way, f"coverage, {way}") for way in ways]
    rows = []
    for name in results.variants:
        for length in _lengths(results, name, HEADLINE_LENGTHS):
            if all(length in by_seed.lengths for by_seed in results.consistencies[name].values()):
                records = [length_score(results, name, seed, length) for seed in results.seeds]
                score = spread(*average([r.score for r in records]), 1) if all(records) else DASH
                cells = _consistency_cells(results, name, length, ways)
                rows.append((f"{results.label(name)}, T = {length}", score, *cells))
    explained = _EXPLAINED.get(summary.consistency_flow, _OWN_EXPLAINED)
    caption = f"Consistency in percent. {explained} {basis(summary)}"
    return Table(caption, ("variant", summary.accuracy, *heads, *coverages), tuple(rows))


_Ways = Mapping[str, tuple[str, ...]]
"""What predictions are carried along → what counts."""
_FLOW = ("visible", "all")
_WAYS: Mapping[str, _Ways] = {
    "exact": {"exact": _FLOW, "dis": _FLOW},
    "dis": {"dis": _FLOW},
    "tracks": {"tracks": ("all",)},
    "classes": {"classes": ("all",)},
}
_HEADS = {
    "exact": "exact flow, {}",
    "dis": "DIS flow, {}",
    "tracks": "along tracks",
    "classes": "equal top-1",
}
_COVERAGES = {
    "exact": "coverage, exact",
    "dis": "coverage, DIS",
    "tracks": "coverage",
    "classes": "coverage",
}
_FLOW_EXPLAINED = (
    "Mean IoU of successive predictions after warping the earlier one along the flow. “Visible” leaves out "
    "pixels that were occluded in the earlier frame, “all” does not; coverage is the share of pixels that "
    "counted under “visible”."
)
_TRACKS_EXPLAINED = (
    "Mean IoU of the detections of one object in successive frames, the earlier one shifted and scaled as "
    "the object's true box was; 0 where it was detected in one of the two only. Coverage is the share of "
    "pairs in which it was detected at all."
)
_CLASSES_EXPLAINED = (
    "Share of successive frames with the same likeliest class, where the true class stays the same. Coverage "
    "is the share of such pairs."
)
_OWN_EXPLAINED = "How far successive predictions agree, and the share that counted, is as the task has it."
_EXPLAINED = {
    "exact": _FLOW_EXPLAINED,
    "dis": _FLOW_EXPLAINED,
    "tracks": _TRACKS_EXPLAINED,
    "classes": _CLASSES_EXPLAINED,
}


def _own_ways(results: Results) -> _Ways:
    """The ways in which a task of one's own compares, the same for all variants."""
    first = next(iter(results.consistencies[results.teacher].values()))
    counted = next(iter(first.lengths.values())).counted
    return {way: tuple(over) for way, over in counted.items()}


def _consistency_cells(results: Results, name: str, length: int, ways: _Ways) -> list[str]:
    records = [results.consistencies[name][seed].lengths[length].counted for seed in results.seeds]
    cells, coverages = [], []
    for way, over in ways.items():
        counted = [[record.get(way, {}).get(each) for record in records] for each in over]
        cells += [_spread_of([w and w.consistency for w in warped]) for warped in counted]
        known = [w and w.coverage for w in counted[0]]
        coverages.append(DASH if None in known else number(average(known)[0], 1))
    return cells + coverages


def _lengths(results: Results, name: str, lengths: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) if results.is_per_frame(name) else lengths


def _spread_of(values: list[float | None]) -> str:
    return DASH if None in values else spread(*average(values), 1)


def _headline_cells(point: Point, *, with_times: bool) -> tuple[str, ...]:
    times = (number(point.ms, 1), factor(point.speedup)) if with_times else ()
    return (
        spread(point.score, point.score_std, 1),
        f"{point.gmacs:.3f}",
        f"{point.macs_ratio:.2f}",
        *times,
        spread(point.consistency, point.consistency_std, 1),
    )


_SPEEDS = (
    "An object is slow where its box overlaps those of its own track, up to 10 frames before and after, by a "
    "mean IoU above 0.9, and fast where by less than 0.7; a column counts the objects of its speed alone."
)


def motion_table(results: Results, summary: Summary) -> Table | None:
    """Scores beside the main one, and how well slow, medium and fast objects are found; None without any.

    Per-frame variants stand once, the others at the headline lengths. The main score stands first, then those
    beside it, then those over objects of each speed.
    """
    measure = summary.measure
    keys = (*measure.also, *measure.parts)
    if not keys:
        return None
    rows = [
        (f"{results.label(name)}, T = {length}", *_motion_cells(results, name, length, keys))
        for name in results.variants
        for length in _lengths(results, name, HEADLINE_LENGTHS)
        if length in summary.variants[name]
    ]
    columns = (
        "variant",
        f"{summary.accuracy} %",
        *measure.also_names,
        *map(measure.part_name, measure.parts),
    )
    if not measure.parts:
        caption = f"{summary.accuracy}, and the scores beside it, in percent. {basis(summary)}"
        return Table(caption, columns, tuple(rows))
    caption = (
        f"{summary.accuracy} by how fast objects move. {_SPEEDS} {basis(summary)} {DASH} marks "
        "a speed at which nothing moves."
    )
    return Table(caption, columns, tuple(rows))


def _motion_cells(results: Results, name: str, length: int, keys: tuple[str, ...]) -> list[str]:
    records = [length_score(results, name, seed, length) for seed in results.seeds]
    columns = [[record.score for record in records], *([r.more.get(key) for r in records] for key in keys)]
    return [_spread_of(column) for column in columns]


def number(value: float | None, digits: int) -> str:
    """Write a figure, or a dash for none."""
    return DASH if value is None else f"{value:,.{digits}f}"


def factor(value: float | None) -> str:
    """Write a speed-up, or a dash for none."""
    return DASH if value is None else f"×{value:.2f}"


def signed(value: float, digits: int) -> str:
    """Write a difference with its sign, a true minus."""
    return f"{value:+.{digits}f}".replace("-", "−")


def spread(value: float | None, deviation: float | None, digits: int) -> str:
    """Write mean ± standard deviation, the latter only where it is known."""
    if value is None or deviation is None:
        return number(value, digits)
    return f"{value:.{digits}f} ± {deviation:.{digits}f}"
