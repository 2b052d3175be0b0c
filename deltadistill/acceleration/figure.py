"""The figure of the page: time against fidelity of everything that was tried, as SVG."""

from collections.abc import Callable, Sequence
from functools import partial
from html import escape

from deltadistill.acceleration.choice import Choice
from deltadistill.acceleration.trial import Point, Trial
from deltadistill.acceleration.trial_tables import worth_choosing

_WIDTH, _HEIGHT = 760, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 16, 16, 52
COLOURS = {
    "per frame": "#444",
    "copied": "#b07aa1",
    "moved": "#e8820c",
    "delta": "#1f77b4",
    "delta, copied": "#17becf",
    "delta, moved": "#2ca02c",
    "online": "#9467bd",
    "students": "#8c564b",
}
_LOWEST = 0.3  # below what is asked nothing is shown further than that
_LABEL, _TALL, _CLEAR, _STEP = 110, 12, 10, 20  # pixels: of a label, around it, from place to place


def figure(trials: Sequence[Trial], choice: Choice, *, frame_ms: float, asked: float, what: str) -> str:
    """An SVG: milliseconds a frame across, what is kept upwards; the choice has a ring, and its lower end.

    frame_ms: of the best per-frame run at full precision.
    """
    points = [point for trial in trials for point in trial.points()]
    low = max(min([point.kept for point in points] + [asked]), asked - _LOWEST)
    low, high = low - 0.05 * (1 - low), max([1.0] + [point.kept for point in points])
    high += 0.04 * (high - low)
    most = 1.08 * max(frame_ms / point.speedup for point in points)

    def across(milliseconds: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * milliseconds / most

    def up(kept: float) -> float:
        share = (max(kept, low) - low) / (high - low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    taken = choice.taken
    places = [(across(frame_ms / point.speedup), up(point.kept)) for point in points]
    at = across(frame_ms / taken.speedup)
    parts = _axes(across, up, most, low, high, what)
    parts.append(_line(at, up(taken.kept), at, up(taken.lower), "#c00", ' stroke-width="2"'))
    for trial in trials:
        parts += _trial(list(trial.points()), trial.kind, frame_ms, across, up, low)
    parts.append(_front(trials, frame_ms, across, up, low))
    parts.append(
        f'<circle cx="{at:.1f}" cy="{up(taken.kept):.1f}" r="10" '
        'fill="none" stroke="#c00" stroke-width="2.5"><title>the choice</title></circle>'
    )
    parts.append(_asked(up(asked), asked, places))
    title = "Time and fidelity of everything that was tried"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


_Scale = Callable[[float], float]


def _axes(across: _Scale, up: _Scale, most: float, low: float, high: float, what: str) -> list[str]:
    parts = []
    for value in _ticks(0, most):
        parts.append(_line(across(value), up(low), across(value), up(high), "#eee"))
        parts.append(_text(across(value), _HEIGHT - _BOTTOM + 18, f"{value:g}", "middle"))
    for value in _ticks(low, high):
        parts.append(_line(across(0), up(value), across(most), up(value), "#eee"))
        parts.append(_text(_LEFT - 6, up(value) + 4, f"{value:.3g}", "end"))
    parts.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 10, "milliseconds from frame to answer", "middle"))
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        f"{escape(what)}</text>"
    )
    return parts


def _asked(height: float, asked: float, places: Sequence[tuple[float, float]]) -> str:
    line = _line(_LEFT, height, _WIDTH - _RIGHT, height, "#c00", ' stroke-dasharray="5 4"')
    right, base = label_place(height, places)
    return line + _text(right, base, f"asked for: {asked:g}", "end")


def label_place(height: float, places: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Right end and base, in pixels, of the label of a line at a height: on the fewest of the points at
    `places`, above the line rather than below, and as far to the right as can be."""
    rights = range(_WIDTH - _RIGHT, _LEFT + _LABEL, -_STEP)
    bases = [base for base in (height - 5, height + _TALL + 3) if _TALL <= base <= _HEIGHT - _BOTTOM]
    return min(
        ((right, base) for base in bases for right in rights),
        key=lambda spot: sum(map(partial(_is_covered, spot), places)),
    )


def _is_covered(spot: tuple[float, float], place: tuple[float, float]) -> bool:
    right, base = spot
    return (
        right - _LABEL - _CLEAR < place[0] < right + _CLEAR
        and base - _TALL - _CLEAR < place[1] < base + _CLEAR
    )


def _trial(
    points: Sequence[Point], kind: str, frame_ms: float, across: _Scale, up: _Scale, low: float
) -> list[str]:
    colour = COLOURS[kind]
    places = [(across(frame_ms / point.speedup), up(point.kept)) for point in points if point.kept >= low]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-opacity=".4"/>']
    for point in points:
        x, y = across(frame_ms / point.speedup), up(point.kept)
        is_below = point.kept < low
        name = f"{point.trial.name}, period {point.period}: ×{point.speedup:.2f}, {point.kept:.4f}"
        fill = "none" if is_below else colour
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{colour}"><title>{escape(name)}'
            "</title></circle>"
        )
    return parts


def _front(trials: Sequence[Trial], frame_ms: float, across: _Scale, up: _Scale, low: float) -> str:
    """Steps from one point worth choosing to the next: what lies right of them and below is beaten by one."""
    steps = ""
    for point in worth_choosing(trials):
        if point.kept >= low:
            x, y = f"{across(frame_ms / point.speedup):.1f}", f"{up(point.kept):.1f}"
            steps += f"H{x}V{y}" if steps else f"M{x},{y}"
    return f'<path d="{steps}" fill="none" stroke="#222" stroke-width="1.2"><title>the fastest</title></path>'


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two."""
    rough = (high - low) / 5
    unit = 10.0 ** (len(f"{int(1 / rough)}") * -1 if rough < 1 else len(f"{int(rough)}") - 1)
    step = next(step for step in (unit, 2 * unit, 5 * unit, 10 * unit, 20 * unit) if step >= rough)
    first = -(-low // step)
    count = int(high // step - first) + 1
    return [round((first + index) * step, 10) for index in range(count)]


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, more: str = "") -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}"{more}/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
