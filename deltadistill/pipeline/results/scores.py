"""The figures that variants are compared by: per variant, sequence length T and seed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean, stdev

from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.sweep_file import LengthScore


@dataclass(frozen=True)
class Score:
    """Accuracy and consistency in percent, amortised GMACs per frame, MACs as a share of the teacher's.

    Peaks of memory are in MiB, as in a sweep's file.
    """

    score: float
    gmacs: float
    macs_ratio: float
    consistency: float | None
    more: Mapping[str, float | None] = field(default_factory=dict)
    peak_mib: float | None = None
    published_peak_mib: float | None = None
    delta_peak_mib: float | None = None
    kept_mib: float | None = None


# variant → T → seed → score
ScoresByLength = Mapping[int, Mapping[int, Score]]
Scores = Mapping[str, ScoresByLength]


def scores(results: Results) -> Scores:
    """Collect the scores of every variant at every T of the experiment.

    A per-frame network has no state, so where only T = 1 was measured it stands for every T.
    """
    sweeps = [sweep for by_seed in results.sweeps.values() for sweep in by_seed.values()]
    lengths = sorted({length for sweep in sweeps for length in sweep.lengths})
    return {
        name: {
            length: {seed: _score(results, name, seed, length) for seed in results.seeds}
            for length in lengths
            if all(length_score(results, name, seed, length) for seed in results.seeds)
        }
        for name in results.variants
    }


def length_score(results: Results, name: str, seed: int, length: int) -> LengthScore | None:
    """Return the sweep's record at T = ``length``, or None where it was not measured."""
    measured = results.sweeps[name][seed].lengths
    if length not in measured and results.is_per_frame(name):
        return measured.get(1)
    return measured.get(length)


def _score(results: Results, name: str, seed: int, length: int) -> Score:
    record = length_score(results, name, seed, length)
    consistency = results.consistencies[name][seed].lengths
    if length not in consistency and results.is_per_frame(name):
        length = 1
    return Score(
        score=record.score,
        gmacs=record.gmacs,
        macs_ratio=record.macs_ratio,
        more=record.more,
        peak_mib=record.peak_mib,
        published_peak_mib=record.published_peak_mib,
        delta_peak_mib=record.delta_peak_mib,
        kept_mib=record.kept_mib,
        consistency=consistency[length].headline.consistency if length in consistency else None,
    )


def average(values: list[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation over seeds; the latter is None for a single seed."""
    return mean(values), (stdev(values) if len(values) > 1 else None)


def class_scores(results: Results, name: str, length: int) -> dict[str, tuple[float | None, float | None]]:
    """Mean and standard deviation over seeds of each class's score; (None, None) for a class no seed saw."""
    by_class: dict[str, list[float]] = {info.name: [] for info in results.dataset.classes}
    for seed in results.seeds:
        record = length_score(results, name, seed, length)
        for class_name, score in (record.per_class if record else {}).items():
            if class_name in by_class and score is not None and not math.isnan(score):
                by_class[class_name].append(score)
    return {
        class_name: average(values) if values else (None, None) for class_name, values in by_class.items()
    }
