"""Measured time per frame, and the measured speed-up beside what the MACs would allow."""

from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import Look, looks
from deltadistill.pipeline.results.latency_file import Timing
from deltadistill.pipeline.results.results import Results


def draw(results: Results) -> Figure:
    """Draw bars: time of a teacher, key and delta frame above, speed-up and MAC bound for each T below."""
    latency, look_of = results.latency, looks(results.variants, results.latency.variants)
    bars = frame_times(results)
    speedups = {name: variant for name, variant in latency.variants.items() if variant.speedup}
    drawn, (times, ratios) = style.figure(height_inches=4.6, rows=2, height_ratios=[len(bars) + 1, 7])
    names = [label for label, *_ in bars]
    times.barh(names, [timing.median for *_, timing in bars], 0.7, color=[look.color for _, look, _ in bars])
    for row, (_, _, timing) in enumerate(bars):
        place = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
        times.annotate(f"{timing.median:.1f}", (timing.median, row), color=style.INK, **place)
    times.invert_yaxis()
    times.grid(axis="y", visible=False)
    times.margins(x=0.12)
    style.caption(times, "median time of one frame (ms)")
    for name, variant in speedups.items():
        look, label = look_of[name], results.label(name)
        measured, bound = sorted(variant.speedup.items()), sorted(variant.macs_bound.items())
        dashed = {"color": look.color, "linestyle": (0, (2, 2))}
        ratios.plot(*zip(*measured, strict=True), **look.line, label=f"{label}, measured")
        ratios.plot(*zip(*bound, strict=True), **dashed, label=f"{label}, if time followed MACs")
    ratios.axhline(1, color=style.INK, linewidth=0.8)
    style.length_axis(ratios, sorted({t for variant in speedups.values() for t in variant.speedup}))
    style.caption(ratios, "speed-up over the per-frame teacher (×)")
    style.legend(drawn, ratios, columns=2)
    return drawn


def frame_times(results: Results) -> list[tuple[str, Look, Timing]]:
    """Bars in reading order: (label, look, timing)."""
    look_of = looks(results.variants, results.latency.variants)
    bars = []
    for name, variant in results.latency.variants.items():
        kinds = {"": variant.frame_ms, ": key frame": variant.key_ms, ": delta frame": variant.delta_ms}
        for kind, timing in kinds.items():
            if timing is not None:
                bars.append((f"{results.label(name)}{kind}", look_of[name], timing))
    return bars
