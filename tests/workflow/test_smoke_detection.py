"""The same stages on boxes, at toy size, with a detector of each kind (experiments/smoke_*.yaml)."""

import csv
import json

import pytest
import smoke

VARIANTS = {"teacher", "finetuned", "delta", "feature", "copy", "small"}
PARTS = {
    "smoke_detection": {"backbone", "pyramid", "head"},
    "smoke_faster_rcnn": {"body", "neck", "proposals"},
}
POINT = {"map50", "map", "gmacs", "macs_ratio"}

pytestmark = pytest.mark.pipeline


@pytest.fixture(
    scope="module",
    params=["smoke_detection", pytest.param("smoke_faster_rcnn", marks=pytest.mark.published)],
)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory, name):
    """A repository in which the pipeline ran through."""
    return smoke.run_through(tmp_path_factory.mktemp(name), name)


@pytest.fixture(scope="module")
def results(folder, name):
    return folder / "results" / name


def test_nothing_is_left_to_do(folder):
    assert smoke.CHECKS["dvc", "status"] in smoke.call(folder, ("dvc", "status"))[1]


def test_the_summary_has_the_form_of_segmentations_with_map_in_the_place_of_miou(results, name):
    summary = json.loads((results / "summary.json").read_text())
    assert set(summary["variants"]) == VARIANTS | ({"fgfi"} if name == "smoke_faster_rcnn" else set())
    for points in summary["variants"].values():
        assert set(points) == {"1", "2", "3"}
        assert all(set(point) >= POINT for point in points.values())
    assert summary["measure"] == "map50"
    assert summary["variants"]["delta"]["3"]["macs_ratio"] <= 0.75
    assert summary["variants"]["delta"]["1"]["macs_ratio"] == 1
    assert (results / "report.html").stat().st_size > 100_000


def test_scores_are_kept_by_class_distance_and_speed(results):
    sweep = json.loads((results / "per_seed/seed0/sweep_sequence_length/delta/sweep.json").read_text())
    scores = sweep["lengths"]["3"]
    assert set(scores["ap50"]) == {"car", "person", "pole", "sign"}
    assert len(scores["map50_per_distance"]) == 3
    assert {"map50_slow", "map50_medium", "map50_fast"} <= set(scores)


def test_the_search_chose_among_layers_of_every_part_that_may_be_converted(results, name):
    with (results / "per_seed/seed0/distill/delta/layers.csv").open() as file:
        assert {row["part"] for row in csv.DictReader(file)} == PARTS[name]


def test_every_rival_with_students_costs_what_delta_costs(results):
    variants = json.loads((results / "summary.json").read_text())["variants"]
    delta = variants["delta"]["3"]["macs_ratio"]
    rivals = {"feature", "fgfi"} & set(variants)
    assert "feature" in rivals
    assert [variants[rival]["3"]["macs_ratio"] for rival in rivals] == pytest.approx(
        [delta] * len(rivals), rel=0.02
    )
