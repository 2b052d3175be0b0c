"""The best setting of each variant, chosen on the tune split: the test split only says what it is worth."""

from dataclasses import dataclass

from deltadistill.pipeline.report.comparison.entries import Comparison, Entry


@dataclass(frozen=True)
class Best:
    """The entry with the highest mean on the tune split, and how many others its spread does not tell apart.

    within: None for a single seed, whose spread is not known.
    """

    entry: Entry
    rivals: int
    within: int | None


def best_settings(comparison: Comparison) -> list[Best]:
    """For each data set and swept variant its best setting; none where no tune figure is known."""
    families: dict[tuple[str, str], list[Entry]] = {}
    for entry in comparison.swept:
        if entry.tune is not None:
            families.setdefault((entry.dataset, entry.variant), []).append(entry)
    return [_best(entries) for entries in families.values()]


def _best(entries: list[Entry]) -> Best:
    best = max(entries, key=lambda entry: entry.tune[0])
    mean, deviation = best.tune
    others = [entry for entry in entries if entry is not best]
    within = None if deviation is None else sum(mean - entry.tune[0] <= deviation for entry in others)
    return Best(best, len(others), within)
