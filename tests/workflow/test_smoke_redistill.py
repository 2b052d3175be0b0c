"""Students of ReDistill through all stages, at toy size (experiments/smoke_redistill.yaml)."""

import json

import pytest
import smoke

NAME = "smoke_redistill"

pytestmark = pytest.mark.published


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of a repository in which the pipeline ran through."""
    return smoke.run_through(tmp_path_factory.mktemp(NAME), NAME) / "results" / NAME


def test_the_summary_has_memory_beside_macs_and_calibration_beside_accuracy(results):
    variants = json.loads((results / "summary.json").read_text())["variants"]
    assert set(variants) == {"teacher", "red", "fitnets"}
    assert all(
        {"top1", "top5", "ece", "peak_mib", "published_peak_mib"} <= set(v["1"]) for v in variants.values()
    )
    assert variants["red"]["1"]["peak_mib"] < 0.5 * variants["teacher"]["1"]["peak_mib"]


def test_the_architecture_says_strides_and_red_blocks(results):
    folder = results / "per_seed/seed0/distill"
    red, rival = (
        json.loads((folder / name / "architecture.json").read_text()) for name in ("red", "fitnets")
    )
    assert red["strides"] == rival["strides"]
    assert (set(red["red_blocks"]), rival.get("red_blocks")) == ({"stem.0", "stages.1.0.conv1"}, None)


def test_the_page_has_a_table_of_peaks(results):
    page = (results / "report.html").read_text()
    assert "Theoretical peak memory of a frame" in page
    assert "calibration error" in page
