"""The Pareto front of a comparison: what no other measured point beats in accuracy at no more cost."""

from collections.abc import Mapping
from typing import TypeVar

Named = TypeVar("Named")


def front(points: Mapping[Named, tuple[float, float]]) -> list[Named]:
    """The names of the points (cost, score) on the front, the cheapest first.

    Of two points of equal cost the better one is, of two that are equal in both the first.
    """
    found: list[Named] = []
    best = float("-inf")
    for name, (_, score) in sorted(points.items(), key=lambda item: (item[1][0], -item[1][1])):
        if score > best:
            found.append(name)
            best = score
    return found
