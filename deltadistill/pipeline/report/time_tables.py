"""The page's tables of measured times, as text cells."""

from deltadistill.pipeline.report.tables import DASH, HEADLINE_LENGTHS, Table, factor, number
from deltadistill.pipeline.results.latency_file import Condition, Part, Timing
from deltadistill.pipeline.results.results import Results

_PARTS: dict[Part, str] = {
    "network": "The network alone",
    "end_to_end": "End to end (reading the picture, preparing, network, decoding of outputs)",
}


def overview_table(results: Results) -> Table | None:
    """A row for each condition: the teacher and ours, each in its fastest engine; None for a single row."""
    ours = next((name for name, of in results.variants.items() if of.role == "ours"), None)
    if len(results.latency.conditions) < 2 or ours is None:
        return None
    lengths = _lengths(results)
    rows = [
        (title, *_overview(condition, part, results.teacher, ours, lengths))
        for condition in results.latency.conditions
        for part, title in (
            ("network", _title(condition)),
            ("end_to_end", f"{_title(condition)}, end to end"),
        )
        if part in condition.baselines
    ]
    label = results.label(ours)
    columns = ("", f"{results.label(results.teacher)}, ms", *(f"{label}, T = {t}, ms" for t in lengths))
    caption = (
        "A frame of every stream, in the engine that is fastest for it: the teacher's time (its engine), and "
        f"that of {label} (the speed-up over it, median over rounds in which all took turns)."
    )
    return Table(caption, columns, tuple(rows))


def _overview(
    condition: Condition, part: Part, teacher: str, ours: str, lengths: list[int]
) -> tuple[str, ...]:
    of_teacher = condition.fastest(teacher, 1, part)
    cells = [DASH if of_teacher is None else f"{number(of_teacher[1].ms_at(1), 1)} ({of_teacher[0]})"]
    for length in lengths:
        found = condition.fastest(ours, length, part)
        times = found and found[1]
        cells.append(
            f"{number(times.ms_at(length), 1)} ({factor(times.speedup_at(length))})" if times else DASH
        )
    return tuple(cells)


def condition_tables(results: Results) -> list[list[Table]]:
    """For each condition every variant in every engine: the network alone, then end to end."""
    return [
        [_table(results, condition, part) for part in _PARTS if part in condition.baselines]
        for condition in results.latency.conditions
    ]


def _table(results: Results, condition: Condition, part: Part) -> Table:
    lengths, alone = _lengths(results), part == "network"
    bounds = [f"MACs allow, T = {t}" for t in lengths] if alone else []
    columns = (
        "variant",
        "frame or key frame, ms",
        "delta frame, ms",
        *(f"speed-up, T = {t}" for t in lengths),
        *bounds,
        *(["kept for the next frame, MB"] if alone else []),
    )
    several = len(condition.engines) > 1
    rows = []
    for name in condition.variants:
        for engine, times in condition.times(name, part).items():
            label = f"{results.label(name)}, {engine}" if several else results.label(name)
            bound = results.latency.macs_bound.get(name, {})
            kept = condition.engines[engine][name].state_bytes
            rows.append(
                (
                    label,
                    _timing(times.frame_ms or times.key_ms),
                    _timing(times.delta_ms),
                    *(factor(times.speedup_at(t)) for t in lengths),
                    *(factor(bound.get(t)) for t in (lengths if alone else [])),
                    *([_megabytes(kept)] if alone else []),
                )
            )
    caption = (
        f"{_PARTS[part]}; {_title(condition)}, {condition.precision}. Median (95th percentile) of "
        f"{condition.rounds} rounds; speed-ups are over the teacher in {condition.baselines[part]}."
    )
    return Table(caption, columns, tuple(rows))


def left_out_notes(results: Results) -> list[str]:
    """What was not timed and why, as sentences."""
    return [
        f"Not timed: {results.label(of.variant)} in {of.engine}: {of.reason}"
        for of in results.latency.left_out
    ]


def _title(condition: Condition) -> str:
    streams = "one stream" if condition.batch == 1 else f"{condition.batch} streams"
    threads = "one thread" if condition.threads == 1 else f"{condition.threads} threads"
    return f"{streams}, {threads}"


def _lengths(results: Results) -> list[int]:
    """The headline lengths above 1, or else all that were measured."""
    found = sorted({t for bounds in results.latency.macs_bound.values() for t in bounds})
    return [t for t in HEADLINE_LENGTHS[1:] if t in found] or found


def _megabytes(count: int | None) -> str:
    return DASH if not count else f"{count / 1e6:.2f}"


def _timing(timing: Timing | None) -> str:
    return DASH if timing is None else f"{timing.median:.2f} ({timing.p95:.2f})"
