"""The same stages on a class for each frame, at toy size (experiments/smoke_classification.yaml)."""

import json

import pytest
import smoke

VARIANTS = {"teacher", "finetuned", "delta", "feature", "copy", "small"}
NAME = "smoke_classification"

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A repository in which the pipeline ran through."""
    return smoke.run_through(tmp_path_factory.mktemp(NAME), NAME)


@pytest.fixture(scope="module")
def results(folder):
    return folder / "results" / NAME


def test_nothing_is_left_to_do(folder):
    assert smoke.CHECKS["dvc", "status"] in smoke.call(folder, ("dvc", "status"))[1]


def test_the_summary_has_top_1_and_top_5_of_every_variant(results):
    summary = json.loads((results / "summary.json").read_text())
    assert set(summary["variants"]) == VARIANTS
    for points in summary["variants"].values():
        assert set(points) == {"1", "2", "3"}
        assert all(set(point) >= {"top1", "top5", "gmacs", "macs_ratio"} for point in points.values())
    assert (summary["measure"], summary["consistency_flow"]) == ("top1", "classes")
    assert summary["variants"]["delta"]["3"]["macs_ratio"] <= 0.75


def test_the_page_speaks_of_classes(results):
    page = (results / "report.html").read_text()
    for words in ("An image classifier", "top-5", "equal likeliest classes of successive frames"):
        assert words in page
    assert "mIoU" not in page.split("</style>")[1]


def test_scores_are_kept_by_class_and_distance(results):
    sweep = json.loads((results / "per_seed/seed0/sweep_sequence_length/delta/sweep.json").read_text())
    scores = sweep["lengths"]["3"]
    assert set(scores["top1_of_class"]) == {"bar", "cross", "disc", "square", "star", "triangle"}
    assert len(scores["top1_per_distance"]) == 3
