"""Measured time per frame in each engine, and the measured speed-up beside what the MACs would allow."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import Look, looks
from deltadistill.pipeline.results.latency_file import Timing
from deltadistill.pipeline.results.results import Results

_BAR_INCHES, _RATIOS_INCHES = 0.19, 2.5
_PALE = 0.45  # of a bar in another engine than the first
_FLAT = ("teacher", "copy")  # roles without a line: the one is 1, the other T


@dataclass(frozen=True)
class Bar:
    """A frame's time: of which variant and kind, in which engine."""

    label: str
    engine: str
    look: Look
    timing: Timing


def draw(results: Results) -> Figure:
    """Draw bars: time of a frame of each kind above; speed-up and MAC bound for each T below."""
    bars = frame_times(results)
    heights = [_BAR_INCHES * (len(bars) + 2), _RATIOS_INCHES]
    drawn, (times, ratios) = style.figure(height_inches=sum(heights) + 0.6, rows=2, height_ratios=heights)
    _draw_bars(times, bars)
    _draw_speedups(ratios, results)
    style.legend(drawn, ratios, columns=2)
    return drawn


def _draw_bars(axes: Axes, bars: list[Bar]) -> None:
    first = bars[0].engine if bars else ""
    for row, bar in enumerate(bars):
        axes.barh(
            row, bar.timing.median, 0.72, color=bar.look.color, alpha=1 if bar.engine == first else _PALE
        )
        place = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 8.5}
        axes.annotate(f"{bar.timing.median:.1f}", (bar.timing.median, row), color=style.INK, **place)
    several = len({bar.engine for bar in bars}) > 1
    names = [f"{bar.label}, {bar.engine}" if several else bar.label for bar in bars]
    axes.set_yticks(range(len(bars)), names, fontsize=8.5)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.12, y=0.02)
    style.caption(axes, "median time of one frame (ms)")


def _draw_speedups(axes: Axes, results: Results) -> None:
    latency, look_of = results.latency, looks(results.variants, results.latency.shown.variants)
    lengths: set[int] = set()
    for name in _with_lines(results):
        look, label = look_of[name], results.label(name)
        bound = sorted(latency.macs_bound.get(name, {}).items())
        measured = [
            (length, fastest[1].speedup_at(length))
            for length, _ in bound
            if (fastest := latency.shown.fastest(name, length))
        ]
        dashed = {"color": look.color, "linestyle": (0, (2, 2))}
        axes.plot(*zip(*measured, strict=True), **look.line, label=f"{label}, measured")
        axes.plot(*zip(*bound, strict=True), **dashed, label=f"{label}, if time followed MACs")
        lengths |= {length for length, _ in bound}
    axes.axhline(1, color=style.INK, linewidth=0.8)
    style.length_axis(axes, sorted(lengths))
    style.caption(axes, f"speed-up over the teacher, {latency.shown.baselines['network']} (×)")


def _with_lines(results: Results) -> list[str]:
    """Variants whose frames differ, so that their speed-up depends on T, but for copying, whose is T."""
    return [
        name
        for name in results.latency.shown.variants
        if any(times.key_ms for times in results.latency.shown.times(name).values())
        and results.latency.macs_bound.get(name)
        and (name not in results.variants or results.variants[name].role not in _FLAT)
    ]


def frame_times(results: Results) -> list[Bar]:
    """Bars in reading order, a variant's kinds of frames in each engine next to each other."""
    shown = results.latency.shown
    look_of = looks(results.variants, shown.variants)
    bars = []
    for name in shown.variants:
        for kind, words in (("frame_ms", ""), ("key_ms", ": key"), ("delta_ms", ": delta")):
            for engine, times in shown.times(name).items():
                if timing := getattr(times, kind):
                    bars.append(Bar(f"{results.label(name)}{words}", engine, look_of[name], timing))
    return bars
