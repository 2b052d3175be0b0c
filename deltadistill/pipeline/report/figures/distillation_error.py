"""Relative distillation error of every layer, before and after training."""

from collections import Counter
from itertools import accumulate, pairwise
from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.training_files import LayerError

MANY = 4  # variants; more are drawn lower
LABELS_ASLANT = 12  # labels at an angle that lie side by side below the axis; nearer ones stand upright
SMALLEST = 1e-6  # an exact layer would fall off the logarithmic axis


def draw(results: Results) -> Figure:
    """One axes a distilled variant: layers part by part, hollow before training, filled after."""
    variants = distilled_layers(results)
    names = {tuple(layer.layer for layer in layers) for layers in variants.values()}
    height = 2.3 if len(variants) <= MANY else 1.7
    drawn, all_axes = style.figure(
        height_inches=0.6 + height * len(variants), rows=len(variants), sharex=len(names) == 1
    )
    look = looks(results.variants, results.distilled)
    for axes, (name, layers) in zip(all_axes, variants.items(), strict=True):
        layers = _part_by_part(layers)
        _plot_errors(axes, layers, colour=look[name].color)
        style.caption(axes, f"{results.label(name)}: relative distillation error")
        _mark_parts(axes, layers)
    all_axes[-1].set_xlabel("layers of each part, from input to output")
    _explain_markers(all_axes[0])
    style.legend(drawn, all_axes[0])
    return drawn


def _plot_errors(axes: Axes, layers: list[LayerError], *, colour: str) -> None:
    places = range(len(layers))
    before = [max(layer.error_before, SMALLEST) for layer in layers]
    after = [max(layer.error_after, SMALLEST) for layer in layers]
    axes.vlines(places, before, after, color=colour, linewidth=0.8, alpha=0.5)
    axes.plot(places, before, "o", color=colour, fillstyle="none", markersize=4)
    axes.plot(places, after, "o", color=colour, markersize=4)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _explain_markers(axes: Axes) -> None:
    """Entries of the legend in no variant's colour, as they hold for all axes."""
    axes.plot([], [], "o", color=style.INK, fillstyle="none", markersize=4, label="before training")
    axes.plot([], [], "o", color=style.INK, markersize=4, label="after training")


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


def _part_by_part(layers: list[LayerError]) -> list[LayerError]:
    """Bring the layers of a part together, which branches that run side by side scatter over the network."""
    parts = list(dict.fromkeys(layer.part for layer in layers))
    return sorted(layers, key=lambda layer: parts.index(layer.part))


def _mark_parts(axes: Axes, layers: list[LayerError]) -> None:
    """Separate the parts of the network by thin lines and name each below the axis."""
    sizes = Counter(layer.part for layer in layers)
    ends = list(accumulate(sizes.values()))
    for end in ends:
        axes.axvline(end - 0.5, color=style.RULE, linewidth=1)
    centres = [end - (size + 1) / 2 for end, size in zip(ends, sizes.values(), strict=True)]
    nearest = min((b - a for a, b in pairwise(centres)), default=len(layers))
    angle, side = (25, "top") if nearest >= len(layers) / LABELS_ASLANT else (90, "center")
    axes.set_xticks(centres, sizes, rotation=angle, ha="right", va=side, rotation_mode="anchor", fontsize=8.5)
