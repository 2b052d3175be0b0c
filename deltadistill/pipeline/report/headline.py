"""The headline table as text: `python -m deltadistill.pipeline.report.headline FOLDER/summary.json`."""

import argparse
import sys
from pathlib import Path

from deltadistill.pipeline.results.claims import Claim, judged, unmeasured
from deltadistill.pipeline.results.summary import Point, Summary, read_summary
from deltadistill.pipeline.results.timed_on import TimedOn

LENGTHS = (1, 3, 10)


def headline(summary: Summary, *, page: Path | None = None) -> str:
    """Lay out variants × T as aligned text, followed by the verdicts and where the report page is."""
    times = ("ms", "speed-up") if summary.is_timed else ()
    columns = ("T", "variant", summary.accuracy, "GMACs", "ratio", *times, "consistency")
    rows = [
        (str(length), summary.label(name), *_cells(points[length], with_times=summary.is_timed))
        for length in LENGTHS
        for name, points in summary.variants.items()
        if length in points
    ]
    lines = [_title(summary), "", *_align(columns, rows)]
    if summary.timed_on is not None and summary.is_timed:
        lines += ["", *_about_times(summary.timed_on)]
    if summary.claims:
        lines += ["", "The paper's claims here:", *_verdicts(summary.claims)]
    if page is not None:
        lines += ["", f"Report: {page}"]
    return "\n".join(lines)


def _verdicts(claims: tuple[Claim, ...]) -> list[str]:
    """One line a claim that is decided, then one with the names of all the others."""
    lines = [f"  {claim.verdict:<13} {claim.name}: {claim.figures}" for claim in judged(claims)]
    names = "; ".join(claim.name for claim in unmeasured(claims))
    return lines + ([f"  not measured here: {names}"] if names else [])


def _title(summary: Summary) -> str:
    seeds = ", ".join(map(str, summary.seeds))
    frames = (
        "labelled test frames"
        if summary.reference == "labels"
        else "test frames, against the per-frame teacher"
    )
    spread = f"mean ± standard deviation over seeds {seeds}" if len(summary.seeds) > 1 else f"seed {seeds}"
    return f"{summary.experiment}: {summary.labelled_frames} {frames}; {spread}; in percent"


def _about_times(of: TimedOn) -> list[str]:
    return [
        f"ms: a frame of the network alone, on {of.words},",
        f"in the engine that is fastest for the variant; speed-up: over the teacher's fastest, {of.baseline}",
    ]


def _cells(point: Point, *, with_times: bool) -> tuple[str, ...]:
    consistency = "–" if point.consistency is None else _spread(point.consistency, point.consistency_std)
    ms, speedup = ("–" if value is None else f"{value:.2f}" for value in (point.ms, point.speedup))
    return (
        _spread(point.score, point.score_std),
        f"{point.gmacs:.3f}",
        f"{point.macs_ratio:.2f}",
        *((ms, speedup) if with_times else ()),
        consistency,
    )


def _spread(value: float, deviation: float | None) -> str:
    return f"{value:.2f}" if deviation is None else f"{value:.2f} ± {deviation:.2f}"


def _align(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Names to the left, figures to the right; a rule under the header and between values of T."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    rule = "  ".join("─" * width for width in widths)

    def line(row: tuple[str, ...]) -> str:
        cells = [
            c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    lines, previous = [line(columns)], None
    for row in rows:
        if row[0] != previous:
            lines.append(rule)
        previous = row[0]
        lines.append(line(row))
    return lines


def main() -> None:
    """Print the headline of the given summary.json."""
    parser = argparse.ArgumentParser(description="Print the headline table of an experiment.")
    parser.add_argument("summary", type=Path, help="results/<experiment>/summary.json")
    path = parser.parse_args().summary
    page = path.with_name("report.html")
    try:
        print(headline(read_summary(path), page=page if page.exists() else None))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
