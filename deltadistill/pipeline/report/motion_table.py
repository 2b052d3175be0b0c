"""The page's table of the scores beside the main one, of boxes by motion: slow, medium and fast objects."""

from deltadistill.pipeline.report.tables import DASH, HEADLINE_LENGTHS, Table, basis, spread
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.scores import average, length_score
from deltadistill.pipeline.results.summary import Summary

_SPEEDS = (
    "An object is slow where its box overlaps those of its own track, up to 10 frames before and after, by a "
    "mean IoU above 0.9, and fast where by less than 0.7; a column counts the objects of its speed alone."
)


def motion_table(results: Results, summary: Summary) -> Table | None:
    """Scores of per-frame variants once, of the others at the headline lengths; None where there is one only.

    The main score stands first, then those beside it, then those over objects of each speed.
    """
    measure = summary.measure
    keys = (*measure.also, *measure.parts)
    if not keys:
        return None
    rows = [
        (f"{name}, T = {length}", *_cells(results, name, length, keys))
        for name, predict in results.variants.items()
        for length in ((1,) if predict == "per_frame" else HEADLINE_LENGTHS)
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


def _cells(results: Results, name: str, length: int, keys: tuple[str, ...]) -> list[str]:
    records = [length_score(results, name, seed, length) for seed in results.seeds]
    columns = [[record.score for record in records], *([r.more.get(key) for r in records] for key in keys)]
    return [DASH if None in column else spread(*average(column), 1) for column in columns]
