"""What was measured in a sweep: one entry per setting and variant, averaged over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltadistill.metrics.measures import Measure
from deltadistill.pipeline.results.consistency_file import Consistency
from deltadistill.pipeline.results.files import MissingError, Record, read_json
from deltadistill.pipeline.results.latency_file import Latency
from deltadistill.pipeline.results.provenance_file import Provenance
from deltadistill.pipeline.results.results import PER_SEED
from deltadistill.pipeline.results.scores import Score, average
from deltadistill.pipeline.results.settings_file import Listed, Listing
from deltadistill.pipeline.results.summary import Point, point_of, with_time
from deltadistill.pipeline.results.sweep_file import Sweep
from deltadistill.pipeline.results.training_files import TrainingScore
from deltadistill.pipeline.results.variants import Variants, label_of


@dataclass(frozen=True)
class Entry:
    """One variant in one setting.

    swept: whether it belongs to a setting; else it stands beside all settings of its teacher.
    points: by sequence length, mean over seeds. tune: mean and deviation of the score on the tune split at
    the step that was kept, in percent; None for a variant that is no network's own prediction.
    """

    setting: str
    variant: str
    dataset: str
    values: Mapping[str, Any]
    swept: bool
    points: Mapping[int, Point]
    tune: tuple[float, float | None] | None
    reference: str
    measure: Measure


@dataclass(frozen=True)
class Comparison:
    """All entries of a sweep, and what is wrong with the settings that are not among them.

    minutes: what the stages of all settings, teachers and seeds took together, without that of the data.
    """

    listing: Listing
    entries: tuple[Entry, ...]
    unfinished: Mapping[str, str]
    minutes: float

    @property
    def swept(self) -> list[Entry]:
        """The entries of settings, without those beside them."""
        return [entry for entry in self.entries if entry.swept]

    @property
    def variants(self) -> Variants:
        """The part that each variant plays, in the order of the entries."""
        parts = (*self.listing.teachers, *self.listing.settings)
        known = {name: variant for part in parts for name, variant in part.variants.items()}
        return {entry.variant: known[entry.variant] for entry in self.entries}

    def label(self, name: str) -> str:
        """What a variant is called."""
        return label_of(self.variants, name)

    @property
    def measure(self) -> Measure:
        """What the scores of all entries are."""
        return self.entries[0].measure

    @property
    def reference(self) -> str:
        """What the scores of all entries are against: "labels" or the "teacher"."""
        return self.entries[0].reference

    @property
    def is_timed(self) -> bool:
        """Whether any setting has a measured time."""
        return any(point.speedup for entry in self.swept for point in entry.points.values())

    @property
    def lengths(self) -> list[int]:
        """Every sequence length that all entries were measured at."""
        return sorted(set.intersection(*(set(entry.points) for entry in self.entries)))


def read_comparison(path: Path, results: Path) -> Comparison:
    """Read what settings.json at `path` lists and the stages left below `results` (results/sweeps/<name>).

    A setting with a missing file is left out and named in `unfinished`; ValueError where none is left.
    """
    listing = read_json(path, Listing, stage="python -m workflow.sweep")
    entries: list[Entry] = []
    unfinished: dict[str, str] = {}
    minutes = 0.0
    for kind, parts in (("teachers", listing.teachers), ("settings", listing.settings)):
        for part in parts:
            folders = [results / kind / part.name / PER_SEED / f"seed{seed}" for seed in listing.seeds]
            try:
                latency = _latency(results / kind / part.name)
                entries += [
                    _entry(folders, part, name, latency, swept=kind == "settings") for name in part.rows
                ]
            except MissingError as error:
                unfinished[f"{kind}/{part.name}"] = str(error)
            minutes += sum(map(_minutes, [*folders, results / kind / part.name / "measure_latency"]))
    if not any(entry.swept for entry in entries):
        raise ValueError(f"{results}: no setting is finished, so there is nothing to compare: {unfinished}")
    comparison = Comparison(listing, tuple(entries), unfinished, minutes)
    _check_comparable(comparison)
    return comparison


def _latency(folder: Path) -> Latency | None:
    """The times of a setting or teacher; None in a sweep of before they were measured."""
    path = folder / "measure_latency" / "latency.json"
    return read_json(path, Latency, stage="measure_latency") if path.is_file() else None


def _entry(folders: list[Path], part: Listed, variant: str, latency: Latency | None, *, swept: bool) -> Entry:
    row, shown = part.rows[variant], part.variants[variant]
    sweeps = [_read(folder, "sweep_sequence_length", variant, "sweep.json", Sweep) for folder in folders]
    consistencies = [
        _read(folder, "analyze_consistency", variant, "consistency.json", Consistency) for folder in folders
    ]
    stage, _, trained = row.network.partition("/")
    scores = [_read(folder, stage, trained, "metrics.json", TrainingScore) for folder in folders]
    known = [score.tune_score for score in scores if score.tune_score is not None]
    return Entry(
        setting=part.name,
        variant=variant,
        dataset=part.dataset,
        values=part.values,
        swept=swept,
        points=_timed(_points(sweeps, consistencies), latency, variant),
        tune=average(known) if shown.role != "copy" and len(known) == len(folders) else None,
        reference=" and ".join(sorted({sweep.reference for sweep in sweeps})),
        measure=sweeps[0].measure,
    )


def _read(folder: Path, stage: str, variant: str, file: str, kind: type[Record]) -> Record:
    return read_json(folder / stage / variant / file, kind, stage=stage)


def _minutes(folder: Path) -> float:
    paths = folder.rglob("provenance.json")
    return sum(read_json(path, Provenance, stage=path.parent.name).minutes for path in paths)


def _points(sweeps: list[Sweep], consistencies: list[Consistency]) -> dict[int, Point]:
    lengths = set.intersection(*(set(sweep.lengths) for sweep in sweeps))
    return {
        length: point_of(
            [_score(sweep, found, length) for sweep, found in zip(sweeps, consistencies, strict=True)]
        )
        for length in sorted(lengths)
    }


def _timed(points: dict[int, Point], latency: Latency | None, variant: str) -> dict[int, Point]:
    if latency is None:
        return points
    return {length: with_time(point, latency, variant, length) for length, point in points.items()}


def _score(sweep: Sweep, found: Consistency, length: int) -> Score:
    record = sweep.lengths[length]
    steady = found.lengths[length].headline.consistency if length in found.lengths else None
    return Score(record.score, record.gmacs, record.macs_ratio, steady, record.more)


def _check_comparable(comparison: Comparison) -> None:
    references = {(entry.reference, entry.measure.name) for entry in comparison.entries}
    if len(references) > 1:
        listed = ", ".join(f"{name} against {reference}" for reference, name in sorted(references))
        raise ValueError(
            f"sweep {comparison.listing.sweep}: {listed} cannot be compared; sweep data sets with labels and "
            "without, with label maps and with boxes, apart from each other"
        )
    if not comparison.lengths:
        raise ValueError(
            f"sweep {comparison.listing.sweep}: no sequence length was measured for all; "
            "run sweep_sequence_length again for all settings"
        )


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
