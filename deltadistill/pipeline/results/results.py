"""Everything the earlier stages left below results/<experiment>, as one frozen object."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deltadistill.metrics.measures import Measure
from deltadistill.pipeline.results.consistency_file import Consistency
from deltadistill.pipeline.results.dataset_file import DatasetInfo
from deltadistill.pipeline.results.files import read_csv, read_json, require
from deltadistill.pipeline.results.latency_file import Latency
from deltadistill.pipeline.results.macs_files import MacLayer, MacTotals
from deltadistill.pipeline.results.provenance_file import Provenance
from deltadistill.pipeline.results.sweep_file import Sweep
from deltadistill.pipeline.results.training_files import Architecture, LayerError, TrainingStep
from deltadistill.pipeline.results.variants import Variants, label_of, leading
from deltadistill.pipeline.results.videos_file import Videos

PER_SEED = "per_seed"  # folder of the stages that run once a seed


@dataclass(frozen=True)
class Distilled:
    """One run of a training; architecture and layer errors are None for a per-frame network."""

    curve: tuple[TrainingStep, ...]
    architecture: Architecture | None
    layers: tuple[LayerError, ...] | None


@dataclass(frozen=True)
class Results:
    """All measurements of one experiment; inner keys are seeds."""

    experiment: str
    dataset: DatasetInfo
    contact_sheet: Path
    seeds: tuple[int, ...]
    variants: Variants
    mac_totals: MacTotals
    mac_layers: tuple[MacLayer, ...]
    teachers: Mapping[int, tuple[TrainingStep, ...]]
    distilled: Mapping[str, Mapping[int, Distilled]]
    sweeps: Mapping[str, Mapping[int, Sweep]]
    consistencies: Mapping[str, Mapping[int, Consistency]]
    latency: Latency
    provenances: tuple[Provenance, ...]
    videos: Mapping[str, Mapping[int, Videos]] = field(default_factory=dict)

    @property
    def teacher(self) -> str:
        """The variant that all others are compared with."""
        return leading(self.variants, "teacher")

    def label(self, name: str) -> str:
        """What a variant or a training is called."""
        return label_of(self.variants, name)

    def is_per_frame(self, name: str) -> bool:
        """Whether a variant runs its whole network on every frame and remembers nothing."""
        return self.variants[name].predict == "per_frame"

    @property
    def reference(self) -> str:
        """What accuracy is measured against: ``labels``, or ``teacher`` for an unlabelled video."""
        return self._sweep.reference

    @property
    def measure(self) -> Measure:
        """What accuracy is."""
        return self._sweep.measure

    @property
    def labelled_frames(self) -> int:
        """Test frames that count in the accuracy."""
        return self._sweep.labelled_frames

    @property
    def _sweep(self) -> Sweep:
        return next(sweep for by_seed in self.sweeps.values() for sweep in by_seed.values())


def read_results(
    root: Path,
    *,
    data: Path,
    seeds: Iterable[int],
    variants: Variants,
    distilled: Iterable[str],
    videos: Iterable[str] = (),
) -> Results:
    """Read results/<experiment> (``root``) and the data set's description in ``data``.

    videos: the variants that were run over whole videos as well.

    Raises ValueError naming the file, the fault and the stage that makes the file.
    """
    seeds, distilled, videos = tuple(seeds), tuple(distilled), tuple(videos)
    if leading(variants, "teacher") is None:
        raise ValueError(
            f"the report needs a variant of the role teacher, got {sorted(variants)}; add it to variants"
        )
    folders = {seed: root / PER_SEED / f"seed{seed}" for seed in seeds}
    results = Results(
        experiment=root.name,
        dataset=read_json(data / "dataset.json", DatasetInfo, stage="prepare_dataset"),
        contact_sheet=require(root / "prepare_dataset" / "contact_sheet.png", stage="prepare_dataset"),
        seeds=seeds,
        variants=dict(variants),
        mac_totals=read_json(root / "profile_macs" / "totals.json", MacTotals, stage="profile_macs"),
        mac_layers=read_csv(root / "profile_macs" / "macs.csv", MacLayer, stage="profile_macs"),
        teachers={seed: _read_teacher(folder) for seed, folder in folders.items()},
        distilled={name: {s: _read_distilled(f, name) for s, f in folders.items()} for name in distilled},
        sweeps={name: {s: _read_sweep(f, name) for s, f in folders.items()} for name in variants},
        consistencies={
            name: {s: _read_consistency(f, name) for s, f in folders.items()} for name in variants
        },
        latency=read_json(root / "measure_latency" / "latency.json", Latency, stage="measure_latency"),
        provenances=_read_provenances(
            root, seeds=seeds, variants=variants, distilled=distilled, videos=videos
        ),
        videos={name: {s: _read_videos(f, name) for s, f in folders.items()} for name in videos},
    )
    _check_same_frames(results)
    return results


def _read_teacher(folder: Path) -> tuple[TrainingStep, ...]:
    return read_csv(folder / "pretrain_teacher" / "curve.csv", TrainingStep, stage="pretrain_teacher")


def _read_distilled(folder: Path, name: str) -> Distilled:
    path, stage = folder / "distill" / name, f"distill ({name})"
    curve = read_csv(path / "curve.csv", TrainingStep, stage=stage)
    if not (path / "architecture.json").exists() and not (path / "layers.csv").exists():
        return Distilled(curve=curve, architecture=None, layers=None)  # a per-frame network has no students
    architecture = read_json(path / "architecture.json", Architecture, stage=stage)
    layers = read_csv(path / "layers.csv", LayerError, stage=stage)
    return Distilled(
        curve=curve, architecture=architecture if architecture.layers else None, layers=layers or None
    )


def _read_sweep(folder: Path, name: str) -> Sweep:
    path = folder / "sweep_sequence_length" / name / "sweep.json"
    return read_json(path, Sweep, stage=f"sweep_sequence_length ({name})")


def _read_consistency(folder: Path, name: str) -> Consistency:
    path = folder / "analyze_consistency" / name / "consistency.json"
    return read_json(path, Consistency, stage=f"analyze_consistency ({name})")


def _read_videos(folder: Path, name: str) -> Videos:
    path = folder / "evaluate_videos" / name / "videos.json"
    return read_json(path, Videos, stage=f"evaluate_videos ({name})")


def _read_provenances(
    root: Path,
    *,
    seeds: Iterable[int],
    variants: Iterable[str],
    distilled: Iterable[str],
    videos: Iterable[str],
) -> tuple[Provenance, ...]:
    """Provenance of every stage run but this report's own, in the order the stages run."""
    of_seeds = [root / PER_SEED / f"seed{seed}" for seed in seeds]
    folders = [root / "prepare_dataset", *(folder / "pretrain_teacher" for folder in of_seeds)]
    folders += [root / "profile_macs"]
    folders += [folder / "distill" / name for folder in of_seeds for name in distilled]
    evaluated = {
        "sweep_sequence_length": variants,
        "evaluate_videos": videos,
        "analyze_consistency": variants,
    }
    for stage, names in evaluated.items():
        folders += [folder / stage / name for folder in of_seeds for name in names]
    folders += [root / "measure_latency"]
    return tuple(
        read_json(folder / "provenance.json", Provenance, stage=str(folder.relative_to(root)))
        for folder in folders
    )


def _check_same_frames(results: Results) -> None:
    """Refuse to compare variants that were measured on different frames or against different references."""
    measured = {
        f"{name}, seed {seed}": (sweep.reference, sweep.labelled_frames)
        for name, by_seed in results.sweeps.items()
        for seed, sweep in by_seed.items()
    }
    if len(set(measured.values())) > 1:
        raise ValueError(
            f"the sweeps of {results.experiment} differ in (reference, labelled frames), so they cannot be "
            f"compared: {measured}; run sweep_sequence_length again for all variants"
        )
