"""The table of student designs: what they are, how far training brought them, what they reach."""

import dataclasses

import pytest

from deltadistill.pipeline.report.students_table import students_table
from deltadistill.pipeline.results.summary import summarise
from deltadistill.pipeline.results.training_files import LayerError


@pytest.fixture
def results(tree, read):
    return read(tree)


def with_run(results, name, **changes):
    run = results.distilled[name][0]
    students = changes.pop("students", run.architecture.students)
    architecture = dataclasses.replace(run.architecture, students=students)
    changed = {0: dataclasses.replace(run, architecture=architecture, **changes)}
    return dataclasses.replace(results, distilled={**results.distilled, name: changed})


def row(results, name):
    table = students_table(results, summarise(results))
    return dict(zip(table.columns, next(row for row in table.rows if row[0] == name), strict=True))


def test_only_variants_with_students_have_a_row(results):
    assert [row[0] for row in students_table(results, summarise(results)).rows] == ["delta", "feature"]


def test_a_row_names_design_and_start(results):
    assert row(results, "delta")["students"] == "linear gamma 4"
    assert row(results, "feature")["students"] == "linear gamma 4 of features"
    assert row(results, "delta")["start"] == "svd"


def test_a_nonlinear_student_starts_by_predicting_no_change(results):
    students = {"kind": "channel_spatial", "gamma": 2, "stride": 2}
    found = row(with_run(results, "delta", students=students), "delta")
    assert (found["students"], found["start"]) == ("channel and spatial gamma 2 stride 2", "no change")


def test_errors_are_means_over_the_layers_that_have_one(results):
    layers = (
        LayerError("a", "stem", 0.5, 0.1),
        LayerError("b", "stem", 1.0, 0.4),
        LayerError("c", "stem", float("nan"), float("nan")),
    )
    found = row(with_run(results, "delta", layers=layers), "delta")
    assert (found["error, before"], found["error, after"]) == ("0.75", "0.25")


def test_accuracy_and_cost_stand_beside(results):
    point = summarise(results).variants["delta"][3]
    found = row(results, "delta")
    assert found["mIoU %, T = 3"] == f"{point.score:.1f}"
    assert found["GMACs, T = 3"] == f"{point.gmacs:.3f}"
