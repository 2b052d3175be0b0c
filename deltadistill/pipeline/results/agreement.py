"""How far the searches of two seeds agree on which blocks to compress, and how far chance would."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean

from deltadistill.pipeline.results.equal_cost import compressed_blocks, is_everything_compressed, predicted
from deltadistill.pipeline.results.results import Results


@dataclass(frozen=True)
class Agreement:
    """Share of blocks that two seeds treat alike, and the share expected of independent choices."""

    variant: str
    seeds: tuple[int, int]
    share: float
    by_chance: float


def agreements(results: Results) -> list[Agreement]:
    """Compare each two seeds of every searched variant; none for a single seed."""
    return [
        _compare(name, pair, [chosen[seed] for seed in pair])
        for name in results.distilled
        if predicted(results, name) and not is_everything_compressed(results, name)
        for chosen in [dict(zip(results.distilled[name], compressed_blocks(results, name), strict=True))]
        for pair in combinations(chosen, 2)
    ]


def _compare(variant: str, seeds: tuple[int, int], chosen: Sequence[Sequence[bool]]) -> Agreement:
    alike = mean(a == b for a, b in zip(*chosen, strict=True))
    first, second = (mean(flags) for flags in chosen)
    by_chance = first * second + (1 - first) * (1 - second)
    return Agreement(variant, seeds, alike, by_chance)
