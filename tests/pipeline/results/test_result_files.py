"""Result files are records: what is read of a committed file is written as that file, byte for byte."""

from pathlib import Path

import pytest

from deltadistill.pipeline.results.consistency_file import Consistency, ConsistencyRow
from deltadistill.pipeline.results.files import read_csv, read_json, records, write
from deltadistill.pipeline.results.macs_files import MacLayer, MacTotals
from deltadistill.pipeline.results.sweep_file import LengthScore, Sweep, SweepRow
from deltadistill.pipeline.results.training_files import (
    DISTILLATION,
    PRETRAINING,
    Architecture,
    ClassScore,
    DistillationScore,
    LayerError,
    TrainingScore,
    TrainingStep,
)

ROOT = Path(__file__).resolve().parents[3]
STREET, BOXES = ROOT / "results/street", ROOT / "results/street_detection"
SEED = "per_seed/seed0"


def sample(pattern):
    """The committed files of a form that today's stages write."""
    found = [path for folder in (STREET, BOXES) for path in sorted(folder.glob(pattern))]
    assert found, pattern
    return found


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        (f"{SEED}/sweep_sequence_length/*/sweep.json", Sweep),
        (f"{SEED}/analyze_consistency/*/consistency.json", Consistency),
        (f"{SEED}/distill/*/architecture.json", Architecture),
        (f"{SEED}/distill/*/metrics.json", DistillationScore),
        (f"{SEED}/pretrain_teacher/metrics.json", TrainingScore),
        ("profile_macs/totals.json", MacTotals),
    ],
)
def test_a_json_file_is_written_as_it_was_read(pattern, kind, tmp_path):
    for path in sample(pattern):
        write(tmp_path / "again.json", read_json(path, kind, stage="any"))
        assert (tmp_path / "again.json").read_bytes() == path.read_bytes(), path


@pytest.mark.parametrize(
    ("pattern", "kind", "columns"),
    [
        (f"{SEED}/sweep_sequence_length/*/sweep.csv", SweepRow, ()),
        (f"{SEED}/analyze_consistency/*/consistency.csv", ConsistencyRow, ()),
        (f"{SEED}/distill/*/layers.csv", LayerError, ()),
        (f"{SEED}/distill/*/curve.csv", TrainingStep, DISTILLATION),
        (f"{SEED}/pretrain_teacher/curve.csv", TrainingStep, PRETRAINING),
        (f"{SEED}/pretrain_teacher/per_class.csv", ClassScore, ("class", "score")),
        ("profile_macs/macs.csv", MacLayer, ()),
    ],
)
def test_a_table_is_written_as_it_was_read(pattern, kind, columns, tmp_path):
    for path in sample(pattern):
        write(tmp_path / "again.csv", read_csv(path, kind, stage="any"), kind=kind, columns=columns)
        assert (tmp_path / "again.csv").read_bytes() == path.read_bytes(), path


def test_the_tables_beside_json_files_are_made_of_them():
    (sweep,) = [read_json(path, Sweep, stage="any") for path in sample(f"{SEED}/*/copy/sweep.json")[:1]]
    assert [(row.length, row.score) for row in sweep.rows][:1] == [(1, sweep.lengths[1].score)]
    path = sample(f"{SEED}/*/copy/consistency.json")[0]
    found = read_json(path, Consistency, stage="any")
    assert [(row.along, row.over) for row in found.rows][:4] == [
        ("exact", "all"),
        ("exact", "visible"),
        ("dis", "all"),
        ("dis", "visible"),
    ]


def test_what_no_file_may_hold_is_refused_before_it_is_written():
    scores = {"miou": 120.0, "iou": {}, "miou_per_distance": [], "gmacs": 1.0, "macs_ratio": 1.0}
    with pytest.raises(ValueError, match="less than or equal to 100"):
        records(LengthScore, [scores])
