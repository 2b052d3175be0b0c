"""The report of a task of one's own: its measure, its bounds, its ways of comparison, and no pictures."""

import json

import pytest

from deltadistill.metrics import measures
from deltadistill.metrics.measures import Bounds, Measure, make_known
from deltadistill.pipeline.report.headline import headline
from deltadistill.pipeline.report.page import render
from deltadistill.pipeline.report.tables import consistency_table
from deltadistill.pipeline.results.summary import read_summary, summarise, write_summary

BOUNDS = Bounds(compute={3: 0.6}, kept=3, feature=1, copy={3: 1, 10: 2}, small=1, teacher=20)


def close(bounds=None):
    return Measure("close", "closeness", "of", "closeness", bounds=bounds)


@pytest.fixture
def own(tree, monkeypatch):
    """A tree whose files have the scores of another task than those of the library."""
    monkeypatch.setattr(measures, "MEASURES", dict(measures.MEASURES))
    for module in ("sweep_file", "summary"):
        monkeypatch.setattr(f"deltadistill.pipeline.results.{module}.MEASURES", measures.MEASURES)
    for path in tree.results.glob("per_seed/*/sweep_sequence_length/*/sweep.json"):
        path.write_text(path.read_text().replace('"miou', '"close').replace('"iou"', '"of"'))
    for path in tree.results.glob("per_seed/*/analyze_consistency/*/consistency.json"):
        found = json.loads(path.read_text())
        ways = {length: {"frames": {"all": way["dis"]["all"]}} for length, way in found["lengths"].items()}
        path.write_text(json.dumps(found | {"lengths": ways}))
    return tree


def test_claims_are_judged_by_the_bounds_of_its_measure(own, read):
    make_known(close(BOUNDS))
    claims = {claim.name: claim for claim in summarise(read(own)).claims}
    assert claims["a teacher worth distilling"].bound == "at least 20 closeness"
    assert claims["a teacher worth distilling"].verdict == "holds"
    assert claims["half the compute"].bound == "at most 0.60 of the teacher's MACs"


def test_without_bounds_the_claims_that_ask_for_points_are_not_made(own, read):
    make_known(close())
    names = {claim.name for claim in summarise(read(own)).claims}
    assert {"steadier predictions", "robust to long sequences", "a quarter of the compute"} <= names
    assert not {"accuracy kept", "half the compute", "a teacher worth distilling"} & names


def test_the_page_has_its_words_and_says_why_there_are_no_pictures(own, read):
    make_known(close())
    page = render(results := read(own), summary := summarise(results), ())
    columns = consistency_table(results, summary).columns
    assert columns == ("variant", "closeness", "frames, all", "coverage, frames")
    assert "closeness" in page
    assert "There are no pictures: how this task" in page


def test_its_summary_is_read_by_who_does_not_know_the_task(own, read, tmp_path):
    make_known(close(BOUNDS))
    write_summary(summary := summarise(read(own)), tmp_path / "summary.json")
    del measures.MEASURES["close"]
    again = read_summary(tmp_path / "summary.json")
    assert (again.measure.name, again.variants) == ("closeness", summary.variants)
    assert "closeness" in headline(again)
