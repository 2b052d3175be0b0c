"""Share of compressed layers per part of the network (the paper's Fig. 8)."""

from collections.abc import Mapping
from statistics import mean

from matplotlib.figure import Figure

from deltadistill.pipeline.report.figures import style
from deltadistill.pipeline.report.figures.looks import looks
from deltadistill.pipeline.results.equal_cost import is_everything_compressed
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.training_files import Architecture


def draw(results: Results) -> Figure:
    """Bars a part of the network, side by side for each variant; error bars: lowest and highest seed.

    Variants may convert different parts: other blocks are students' places of another design.
    """
    shares = {name: compressed_shares(by_seed) for name, by_seed in found(results).items()}
    parts = list(dict.fromkeys(part for by_part in shares.values() for part in by_part))
    drawn, (axes,) = style.figure(height_inches=1.5 + len(parts) * _part_inches(len(shares)))
    thickness = 0.8 / len(shares)
    look = looks(results.variants, results.distilled)
    for row, (name, by_part) in enumerate(shares.items()):
        offset = (row - (len(shares) - 1) / 2) * thickness
        means = [100 * mean(flags) for flags in by_part.values()]
        below = [value - 100 * min(flags) for value, flags in zip(means, by_part.values(), strict=True)]
        above = [100 * max(flags) - value for value, flags in zip(means, by_part.values(), strict=True)]
        axes.barh(
            [parts.index(part) + offset for part in by_part],
            means,
            thickness * 0.92,
            xerr=(below, above) if any(below) else None,
            color=look[name].color,
            error_kw={"ecolor": style.INK, "elinewidth": 1},
            label=results.label(name),
        )
    axes.set_yticks(range(len(parts)), parts)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", visible=True, color=style.RULE)
    axes.set_xlim(0, 104)
    axes.set_xlabel("compressed layers (%)")
    style.legend(drawn, axes)
    return drawn


def _part_inches(variants: int) -> float:
    """Height of one part's bars, which become thinner where there are many."""
    return max(0.3, min(0.21 * variants, 0.25 + 0.08 * variants))


def found(results: Results) -> dict[str, list[Architecture]]:
    """Architectures over seeds of each variant that a search left with uncompressed layers."""
    return {
        name: architectures
        for name, by_seed in results.distilled.items()
        if all(architectures := [run.architecture for run in by_seed.values()])
        and not is_everything_compressed(results, name)
    }


def compressed_shares(architectures: list[Architecture]) -> Mapping[str, list[float]]:
    """Part of the network → share of its layers that are compressed, a list over seeds."""
    parts: dict[str, list[float]] = {}
    for architecture in architectures:
        chosen: dict[str, list[bool]] = {}
        for layer in architecture.layers:
            chosen.setdefault(layer.part, []).append(layer.candidate == "compressed")
        for part, flags in chosen.items():
            parts.setdefault(part, []).append(sum(flags) / len(flags))
    return parts
