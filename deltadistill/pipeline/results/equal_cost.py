"""Pairs of networks that cost the same: one that a search found, and one with every block compressed."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.scores import Score, Scores, ScoresByLength, average
from deltadistill.pipeline.results.variants import Role

LENGTH = 3
TOLERANCE = 0.02  # of the dearer one's MACs; the search reaches its target as closely
COPY_TOLERANCE = 0.05  # of the dearer one's MACs; copying costs 1/T, so it comes in few costs


@dataclass(frozen=True)
class Pair:
    """Two variants of the role ours of equal MACs at T = 3."""

    searched: str
    compressed: str


def equal_cost_pairs(results: Results, table: Scores) -> tuple[Pair, ...]:
    """Every searched variant beside every everything-compressed one of its cost, in the report's order."""
    streams = [name for name in results.variants if has_students(results, name, "ours")]
    compressed = [name for name in streams if is_everything_compressed(results, name)]
    searched = [name for name in streams if name not in compressed]
    return tuple(Pair(a, b) for a, b in product(searched, compressed) if _cost_the_same(table, a, b))


def copy_length_at_cost(by_seed: Mapping[int, Score], copying: ScoresByLength) -> int | None:
    """The sequence length at which copying costs most nearly what another variant does (its scores by seed).

    None where no measured length comes near enough.
    """
    cost = _cost(by_seed)
    costs = {t: _cost(by_seed) for t, by_seed in copying.items()}
    near = [t for t in costs if abs(costs[t] - cost) <= COPY_TOLERANCE * max(costs[t], cost)]
    return min(near, key=lambda t: abs(costs[t] - cost), default=None)


def has_students(results: Results, name: str, role: Role) -> bool:
    """Whether a variant of a role runs a network with students."""
    return results.variants[name].role == role and predicted(results, name) is not None


def predicted(results: Results, name: str) -> str | None:
    """What a variant's students predict: delta or feature; None for a network without students."""
    architectures = [run.architecture for run in results.distilled.get(name, {}).values()]
    return architectures[0].predicts if architectures and all(architectures) else None


def compressed_blocks(results: Results, name: str) -> list[list[bool]]:
    """For each seed and block of a variant with students whether it is compressed."""
    architectures = [run.architecture for run in results.distilled[name].values()]
    return [[layer.candidate == "compressed" for layer in found.layers] for found in architectures]


def is_everything_compressed(results: Results, name: str) -> bool:
    """Whether every block of every seed is compressed."""
    return all(all(blocks) for blocks in compressed_blocks(results, name))


def _cost_the_same(table: Scores, first: str, second: str) -> bool:
    if LENGTH not in table[first] or LENGTH not in table[second]:
        return False
    costs = [_cost(table[name][LENGTH]) for name in (first, second)]
    return abs(costs[0] - costs[1]) <= TOLERANCE * max(costs)


def _cost(by_seed: Mapping[int, Score]) -> float:
    return average([score.macs_ratio for score in by_seed.values()])[0]
