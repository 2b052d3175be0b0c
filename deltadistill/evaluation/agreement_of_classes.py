"""Temporal consistency of classes: is the likeliest class of successive frames the same?

Over pairs of successive frames whose true class is known and the same: where the truth changes, predictions
should too. That truth alone is looked at, not whether the predictions are right.
"""


class SameClass:
    """Counts pairs of successive frames, those that can be compared, and those with equal predictions."""

    def __init__(self) -> None:
        self._equal = self._counted = self._pairs = 0

    def update(self, classes: tuple[int, int], truths: tuple[float | None, float | None]) -> None:
        """Count a pair: the likeliest class before and now, and the true ones, None where unknown."""
        self._pairs += 1
        if truths[0] is not None and truths[0] == truths[1]:
            self._counted += 1
            self._equal += classes[0] == classes[1]

    def state(self) -> tuple[int, int, int] | None:
        """Return all that was counted, or None where that is nothing."""
        return (self._equal, self._counted, self._pairs) if self._pairs else None

    def add(self, state: tuple[int, int, int]) -> None:
        """Count what another one has counted, whose state this is."""
        equal, counted, pairs = state
        self._equal += equal
        self._counted += counted
        self._pairs += pairs

    def percent(self) -> float:
        """Return the share of equal predictions among the pairs that counted, percent; NaN without any."""
        return 100 * self._equal / self._counted if self._counted else float("nan")

    def coverage_percent(self) -> float:
        """Return the share of pairs that counted, in percent; NaN before the first."""
        return 100 * self._counted / self._pairs if self._pairs else float("nan")
