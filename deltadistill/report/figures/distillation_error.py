"""Relative distillation error of every layer, before and after training."""

from itertools import groupby
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from deltadistill.report.figures import style
from deltadistill.report.figures.looks import looks
from deltadistill.report.records import LayerError
from deltadistill.report.results import Results

MANY = 4  # variants; more are drawn lower
SMALLEST = 1e-6  # an exact layer would fall off the logarithmic axis


def draw(results: Results) -> Figure:
    """One axes a distilled variant: layers from input to output, hollow before training, filled after."""
    variants = distilled_layers(results)
    names = {tuple(layer.layer for layer in layers) for layers in variants.values()}
    height = 2.3 if len(variants) <= MANY else 1.7
    drawn, all_axes = style.figure(
        height_inches=0.6 + height * len(variants), rows=len(variants), sharex=len(names) == 1
    )
    look = looks([*results.variants, *results.distilled])
    for axes, (name, layers) in zip(all_axes, variants.items(), strict=True):
        places, colour = range(len(layers)), look[name].color
        before = [max(layer.error_before, SMALLEST) for layer in layers]
        after = [max(layer.error_after, SMALLEST) for layer in layers]
        axes.vlines(places, before, after, color=colour, linewidth=0.8, alpha=0.5)
        axes.plot(places, before, "o", color=colour, fillstyle="none", markersize=4, label="before training")
        axes.plot(places, after, "o", color=colour, markersize=4, label="after training")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        style.caption(axes, f"{name}: relative distillation error")
        _mark_parts(axes, layers)
    all_axes[-1].set_xlabel("layers, from input to output")
    style.legend(drawn, all_axes[0])
    return drawn


def distilled_layers(results: Results) -> dict[str, list[LayerError]]:
    """Return the errors of each distilled variant's layers in network order, mean over seeds."""
    runs = {name: [run.layers for run in by_seed.values()] for name, by_seed in results.distilled.items()}
    return {
        name: [
            LayerError(
                layer=same[0].layer,
                part=same[0].part,
                error_before=mean(layer.error_before for layer in same),
                error_after=mean(layer.error_after for layer in same),
            )
            for same in zip(*seeds, strict=True)
        ]
        for name, seeds in runs.items()
        if all(seeds)
    }


def _mark_parts(axes: Axes, layers: list[LayerError]) -> None:
    """Separate the parts of the network by thin lines and name them below the axis."""
    start, ticks = 0, []
    for part, group in groupby(layers, key=lambda layer: layer.part):
        size = len(list(group))
        ticks.append((start + (size - 1) / 2, part, size))
        start += size
        axes.axvline(start - 0.5, color=style.RULE, linewidth=1)
    wide = [(place, part) for place, part, size in ticks if size >= len(layers) / 12]
    places, names = zip(*wide, strict=True) if wide else ((), ())
    axes.set_xticks(places, names, rotation=25, ha="right", rotation_mode="anchor", fontsize=8.5)
