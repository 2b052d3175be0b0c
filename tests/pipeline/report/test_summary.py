"""summary.json: mean and spread over seeds, worked by hand."""

import json

import pytest

from deltadistill.pipeline.results.claims import Claim
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.summary import read_summary, summarise, write_summary
from deltadistill.pipeline.results.timed_on import TimedOn


def set_miou(tree, seed, miou):
    path = tree.results / f"per_seed/seed{seed}/sweep_sequence_length/delta/sweep.json"
    content = json.loads(path.read_text())
    content["lengths"]["3"]["miou"] = miou
    path.write_text(json.dumps(content))


def test_figures_are_mean_and_sample_deviation_over_seeds(build, read, tmp_path):
    tree = build(tmp_path, seeds=(0, 1, 2))
    for seed, miou in enumerate((70.0, 71.0, 75.0)):
        set_miou(tree, seed, miou)
    point = summarise(read(tree)).variants["delta"][3]
    assert point.score == pytest.approx(72.0)
    assert point.score_std == pytest.approx(2.646, abs=1e-3)  # sqrt((4 + 1 + 9) / 2)


def test_a_single_seed_has_no_spread(tree, read, tmp_path):
    summary = summarise(read(tree))
    assert summary.variants["delta"][3].score_std is None
    write_summary(summary, tmp_path / "summary.json")
    point = json.loads((tmp_path / "summary.json").read_text())["variants"]["delta"]["3"]
    times = {"ms", "speedup", "engine", "end_to_end_ms", "end_to_end_speedup"}
    assert set(point) == {"miou", "gmacs", "macs_ratio", "consistency"} | times


def test_the_file_has_the_agreed_form(street, read, tmp_path):
    write_summary(summarise(read(street)), tmp_path / "summary.json")
    content = json.loads((tmp_path / "summary.json").read_text())
    assert list(content["variants"]) == ["teacher", "finetuned", "delta", "feature", "small", "copy"]
    assert {"miou", "gmacs", "macs_ratio", "consistency", "miou_std"} <= set(
        content["variants"]["copy"]["10"]
    )
    assert {"miou", "gmacs"} <= set(content["teacher"])
    assert content["seeds"] == [0, 1, 2]
    assert content["reference"] == "labels"
    assert len(content["claims"]) == 12


def test_minutes_are_summed_over_variants_and_averaged_over_seeds(street, read):
    minutes = summarise(read(street)).minutes
    assert minutes["distill"] == pytest.approx(4 * 1.8)
    assert minutes["sweep_sequence_length"] == pytest.approx(6 * 0.2)
    assert minutes["prepare_dataset"] == pytest.approx(0.4)


def test_a_per_frame_network_stands_for_every_length(street, read):
    points = summarise(read(street)).variants["finetuned"]
    assert points[10] == points[1]


def test_without_exact_flow_the_headline_is_estimated_flow(real_video, street, read):
    assert summarise(read(real_video)).consistency_flow == "dis"
    assert summarise(read(street)).consistency_flow == "exact"


def test_a_written_summary_reads_back(street, read, tmp_path):
    results: Results = read(street)
    summary = summarise(results)
    write_summary(summary, tmp_path / "summary.json")
    again = read_summary(tmp_path / "summary.json")
    assert again.variants == summary.variants
    assert isinstance(again.claims[0], Claim)


def test_a_point_has_the_time_of_the_engine_that_is_fastest_for_it(tree, read):
    path = tree.results / "measure_latency/latency.json"
    content = json.loads(path.read_text())
    engines = content["conditions"][0]["engines"]
    engines["eager"]["delta"]["network"] |= {
        "amortised_ms": {"1": 20.0, "3": 7.5, "10": 3.5},
        "speedup": {"1": 0.455, "3": 1.213, "10": 2.6},
    }
    del engines["fast"]["feature"], engines["eager"]["feature"]
    path.write_text(json.dumps(content))
    summary = summarise(read(tree))
    at_three, at_ten = (summary.variants["delta"][length] for length in (3, 10))
    assert (at_three.ms, at_three.speedup, at_three.engine) == (
        6.8,
        pytest.approx(9.1 / 6.8, abs=1e-4),
        "fast",
    )
    assert (at_ten.ms, at_ten.speedup, at_ten.engine) == (3.5, 2.6, "eager")
    assert at_ten.end_to_end_ms == pytest.approx((12.7 + 9 * 6.85) / 10)  # in the other engine
    assert summary.variants["small"][10].ms == 4.55
    assert summary.variants["feature"][3].ms is None
    assert summary.teacher.ms == 9.1
    assert summary.timed_on == TimedOn("made up", threads=1, batch=1, precision="fp32", baseline="fast")


def test_a_teacher_that_was_not_measured_alone_is_refused(tree, read):
    path = tree.results / "per_seed/seed0/sweep_sequence_length/teacher/sweep.json"
    path.write_text(path.read_text().replace('{"1":', '{"3":'))
    with pytest.raises(ValueError, match="not measured at T = 1"):
        summarise(read(tree))
