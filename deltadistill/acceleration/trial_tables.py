"""The tables of the page: what is worth choosing from, and everything that was tried."""

from collections.abc import Sequence
from html import escape

from deltadistill.acceleration.trial import Point, Trial
from deltadistill.account.front import front


def worth_choosing(trials: Sequence[Trial]) -> list[Point]:
    """The points that nothing faster keeps as much as (`Point.kept`), the fastest first."""
    points = [point for trial in trials for point in trial.points()]
    return [points[at] for at in front({at: (1 / p.speedup, p.kept) for at, p in enumerate(points)})]


def trial_tables(trials: Sequence[Trial], taken: Point, *, frame_ms: float) -> str:
    """HTML: points worth choosing from and the one taken; folded, all and why trials ended early.

    frame_ms: of the best per-frame run at full precision.
    """
    has_scores = any(trial.scores for trial in trials)
    shown = worth_choosing(trials)
    if taken not in shown:
        shown = sorted([*shown, taken], key=lambda point: -point.speedup)
    short = [_row(point, taken, frame_ms, has_scores) for point in shown]
    rows = []
    for trial in trials:
        rows += [_row(point, taken, frame_ms, has_scores) for point in trial.points()]
        rows += [_ended(trial, has_scores)] if trial.ended else []
    count = sum(len(list(trial.points())) for trial in trials)
    return (
        f"{_table(short, has_scores)}<details><summary>All {count} points of {len(trials)} ways</summary>"
        f"{_table(rows, has_scores)}</details>"
    )


def _names(has_scores: bool) -> list[str]:
    names = ["way", "period", "key frames", "ms a frame", "speed-up", "fidelity"]
    return [*names, "kept", "at least", "score"] if has_scores else [*names, "at least"]


def _row(point: Point, taken: Point, frame_ms: float, has_scores: bool) -> str:
    period = point.period if point.threshold is None else f"≈ {point.period}"
    score = "" if point.score is None else f"{point.score:.4f}"
    cells = [point.trial.name, period, f"{point.key_share:.0%}"]
    cells += [f"{frame_ms / point.speedup:.2f}", f"×{point.speedup:.2f}", f"{point.fidelity:.4f}"]
    cells += [f"{point.kept:.4f}"] if has_scores else []
    cells += [f"{point.lower:.4f}"]
    cells += [score] if has_scores else []
    mark = ' class="taken"' if point == taken else ""
    return f"<tr{mark}>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _ended(trial: Trial, has_scores: bool) -> str:
    told = escape(f"{trial.name}: {trial.ended}")
    return f'<tr><td colspan="{len(_names(has_scores))}">{told}</td></tr>'


def _table(rows: Sequence[str], has_scores: bool) -> str:
    head = "".join(f"<th>{name}</th>" for name in _names(has_scores))
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'
