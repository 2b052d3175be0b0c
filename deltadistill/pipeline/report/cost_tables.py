"""The page's tables of MACs, data and provenance, as text cells."""

from deltadistill.metrics.measures import MAP50, TOP1, Measure
from deltadistill.pipeline.report.tables import DASH, Table, number
from deltadistill.pipeline.results.dataset_file import DatasetInfo
from deltadistill.pipeline.results.macs_files import MacConvention
from deltadistill.pipeline.results.provenance_file import Provenance
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.summary import Point, Summary


def mac_totals_table(results: Results) -> Table:
    """Totals in both conventions; compressed: every convertible layer."""
    totals = results.mac_totals
    rows = []
    conventions = (totals.convolution, totals.published)
    for title, pick in (("teacher frame", "teacher"), ("key frame", "key"), ("delta frame", "delta")):
        rows.append((title, *_both([getattr(c, pick) for c in conventions], conventions)))
    for length in sorted(totals.convolution.amortised):
        amortised = [convention.amortised.get(length) for convention in conventions]
        rows.append((f"T = {length}", *_both(amortised, conventions)))
    size = "×".join(map(str, totals.size))
    caption = (
        f"MACs of one frame of {size} with every convertible layer compressed. The search need not reach "
        "this bound. The published convention also counts biases, batch normalisation (2 per element) and "
        "ReLU."
    )
    columns = ("frame", "convolutions, GMACs", "ratio", "published, GMACs", "ratio")
    return Table(caption, columns, tuple(rows))


def _both(macs: list[float | None], conventions: tuple[MacConvention, ...]) -> list[str]:
    cells = []
    for value, convention in zip(macs, conventions, strict=True):
        share = None if value is None else value / convention.teacher
        cells += [number(None if value is None else value / 1e9, 4), number(share, 3)]
    return cells


def uncounted_table(results: Results) -> Table:
    """Operators that cost time and are in neither total."""
    rows = [
        (entry.operator, entry.frames, str(entry.calls), number(entry.elements, 0))
        for entry in results.mac_totals.uncounted
    ]
    caption = "In neither total: operators that run on every frame, or on delta frames only."
    return Table(caption, ("operator", "frames", "calls", "elements"), tuple(rows))


def memory_table(summary: Summary) -> Table | None:
    """Theoretical peaks of a frame, beside MACs and accuracy; None where no variant has one."""
    known = {
        name: point
        for name, points in summary.variants.items()
        if (point := _first_whole(points)).peak_mib is not None
    }
    if not known:
        return None
    teacher = next((point for point in known.values() if point.macs_ratio == 1), None)
    streams = any(point.delta_peak_mib for point in known.values())
    rows = [
        (
            summary.label(name),
            number(point.score, 1),
            number(point.gmacs, 4),
            number(point.peak_mib, 3),
            number(_share(point.peak_mib, teacher and teacher.peak_mib), 3),
            number(point.published_peak_mib, 3),
            number(_share(point.published_peak_mib, teacher and teacher.published_peak_mib), 3),
            *([number(point.delta_peak_mib, 3), number(point.kept_mib, 3)] if streams else []),
        )
        for name, point in known.items()
    ]
    caption = (
        "Theoretical peak memory of a frame, MiB at batch 1, weights apart, of variants that run their whole "
        "network on every frame: with lifetimes, and as ReDistill's tables count it (a layer's input and "
        "output, and what its shortcut needs). Shares are of the teacher's."
    )
    if streams:
        caption += (
            " Of streams, at the shortest sequence that has later frames: the larger peak of a key frame and "
            "a later one, that of a later frame, and the maps that are kept between them, which both hold."
        )
    columns = (
        "variant",
        f"{summary.accuracy}, %",
        "GMACs",
        "with lifetimes",
        "share",
        "as published",
        "share",
        *(["later frame", "maps kept"] if streams else []),
    )
    return Table(caption, columns, tuple(rows))


def _first_whole(points: dict[int, Point]) -> Point:
    """At the shortest sequence; of a stream at the shortest that has later frames, whose peak it knows."""
    streamed = [length for length, point in points.items() if length > 1 and point.delta_peak_mib]
    return points[min(streamed or points)]


def _share(value: float | None, of: float | None) -> float | None:
    return None if value is None or not of else value / of


def unconverted_table(results: Results) -> Table:
    """Layers that cannot be converted, and why."""
    rows = [
        (layer.layer, layer.part, number(layer.teacher_macs / 1e6, 2), layer.reason or DASH)
        for layer in results.mac_layers
        if not layer.convertible
    ]
    return Table("Layers that stay as they are.", ("layer", "part", "MMACs", "reason"), tuple(rows))


def dataset_table(dataset: DatasetInfo, measure: Measure) -> Table:
    """Clips and frames of each split."""
    rows = [
        (split, str(dataset.clips.get(split, 0)), str(frames)) for split, frames in dataset.frames.items()
    ]
    height, width = dataset.size
    flow = "with exact flow" if dataset.flow else "flow only as estimated"
    what = {MAP50: "with boxes", TOP1: "one for each frame"}.get(measure, flow)
    caption = f"Kind: {dataset.kind}; frames of {height}×{width}, {len(dataset.classes)} classes, {what}."
    return Table(caption, ("split", "clips", "frames"), tuple(rows))


def video_notes(dataset: DatasetInfo) -> list[str]:
    """What there is to know of how each video was read, as sentences."""
    return [f"{video.name}: {note}." for video in dataset.videos for note in video.notes]


def minutes_table(minutes: dict[str, float]) -> Table:
    """Time each stage took."""
    rows = [(stage, f"{spent:.2f}") for stage, spent in minutes.items()]
    rows.append(("in all", f"{sum(minutes.values()):.2f}"))
    return Table(
        "Minutes per stage, summed over variants, mean over seeds.", ("stage", "minutes"), tuple(rows)
    )


def provenance_table(provenances: tuple[Provenance, ...]) -> Table:
    """Every stage run behind this page, under the names that the parameters have."""
    rows = []
    for run in provenances:
        commit = (run.commit or "unknown")[:10] + (" (modified)" if run.dirty else "")
        seed = DASH if run.seed is None else str(run.seed)
        rows.append((run.stage, run.variant or DASH, seed, f"{run.minutes:.2f}", run.started or DASH, commit))
    caption = f"{len(rows)} stage runs, {sum(run.minutes for run in provenances):.1f} minutes in all."
    return Table(
        caption, ("stage", "variant", "seed", "minutes", "started", "commit"), tuple(rows), words=True
    )
