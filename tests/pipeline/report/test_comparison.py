"""The report of a sweep, on made-up results whose averages can be worked by hand."""

import csv
import json
import re

import pytest

from deltadistill.pipeline.report.comparison_entries import best_settings, read_comparison
from deltadistill.pipeline.report.comparison_figures import against_cost, distinct, drawings, over_key
from deltadistill.pipeline.report.comparison_files import headline, write_comparison, write_summary
from deltadistill.pipeline.report.comparison_page import render
from deltadistill.pipeline.report.figures.cost_axis import MACS, SHARE_OF_TIME

BETA, KIND = "distill.loss.beta", "distill.students.kind"
DELTA = {"delta": {"network": "distill/delta", "predict": "stream"}}
BESIDE = {
    "teacher": {"network": "pretrain_teacher", "predict": "per_frame"},
    "copy": {"network": "distill/finetuned", "predict": "copy"},
}
# setting → seed → mIoU at T = 3, tune mIoU; the best by the tune split is not the best of the test split
MADE_UP = {
    "beta0p3": {0: (70.0, 71.0), 1: (72.0, 73.0)},
    "base": {0: (75.0, 70.0), 1: (75.0, 70.0)},
    "beta1p2": {0: (60.0, 72.0), 1: (62.0, 70.0)},
}
VALUES = {"beta0p3": 0.3, "base": 0.6, "beta1p2": 1.2}


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def put_variant(folder, variant, network, miou, tune, *, lengths=(1, 3)):
    scores = {
        str(length): {
            "miou": miou if length == 3 else 80.0,
            "gmacs": 2.0 / length,
            "macs_ratio": 1.0 / length,
            "iou": {},
            "miou_per_distance": [],
        }
        for length in lengths
    }
    warped = {"consistency": 85.0, "coverage": 90.0}
    steady = {str(length): {"dis": {"all": warped, "visible": warped}} for length in lengths}
    put(
        folder / "sweep_sequence_length" / variant / "sweep.json",
        {"variant": variant, "reference": "labels", "labelled_frames": 4, "lengths": scores},
    )
    put(
        folder / "analyze_consistency" / variant / "consistency.json", {"variant": variant, "lengths": steady}
    )
    put(folder / network / "metrics.json", {"tune_score": tune})
    put(folder / network / "provenance.json", {"stage": "distill", "minutes": 2.5})


@pytest.fixture
def made_up(tmp_path):
    """settings.json and the results of a sweep of three settings and two seeds."""
    results = tmp_path / "results"
    for setting, by_seed in MADE_UP.items():
        for seed, (miou, tune) in by_seed.items():
            folder = results / "settings" / setting / "per_seed" / f"seed{seed}"
            put_variant(folder, "delta", "distill/delta", miou, tune)
    for seed in (0, 1):
        folder = results / "teachers" / "base" / "per_seed" / f"seed{seed}"
        put_variant(folder, "teacher", "pretrain_teacher", 78.0, 79.0)
        put_variant(folder, "copy", "distill/finetuned", 65.0, 79.5)
    listed = {"dataset": "base", "values": {BETA: 0.6, KIND: "linear"}}
    put(
        tmp_path / "settings.json",
        {
            "sweep": "toy",
            "seeds": [0, 1],
            "keys": [BETA, KIND],
            "colour": BETA,
            "settings": [
                listed | {"name": name, "rows": DELTA, "values": {BETA: VALUES[name], KIND: "linear"}}
                for name in MADE_UP
            ],
            "teachers": [listed | {"name": "base", "rows": BESIDE}],
        },
    )
    return tmp_path


@pytest.fixture
def comparison(made_up):
    return read_comparison(made_up / "settings.json", made_up / "results")


def entry_of(comparison, setting, variant="delta"):
    return next(e for e in comparison.entries if (e.setting, e.variant, e.swept) == (setting, variant, True))


def test_an_entry_is_the_mean_and_the_spread_over_seeds(comparison):
    point = entry_of(comparison, "beta0p3").points[3]
    assert (point.score, point.score_std) == (71.0, pytest.approx(2**0.5, abs=1e-3))
    assert (point.gmacs, point.macs_ratio) == (pytest.approx(0.66667), pytest.approx(0.3333))
    assert (point.consistency, point.consistency_std) == (85.0, 0.0)


def test_trainings_of_all_parts_are_summed(comparison):
    assert comparison.minutes == (3 + 2) * 2 * 2.5


def test_the_best_setting_is_the_tune_splits(comparison):
    (best,) = best_settings(comparison)
    assert best.entry.setting == "beta0p3"
    assert best.entry.tune == (72.0, pytest.approx(2**0.5))
    assert (best.rivals, best.within) == (2, 1)  # 71 lies within 1.41 of 72, 70 does not


def test_copying_has_no_tune_figure_of_its_own(comparison):
    tunes = {entry.variant: entry.tune for entry in comparison.entries if not entry.swept}
    assert tunes == {"teacher": (79.0, 0.0), "copy": None}


def test_the_csv_has_a_row_for_every_setting_variant_and_length(comparison, tmp_path):
    write_comparison(comparison, tmp_path / "comparison.csv")
    rows = list(csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines()))
    assert len(rows) == 5 * 2
    row = next(row for row in rows if row["setting"] == "beta1p2" and row["length"] == "3")
    assert (row[BETA], row["variant"], row["score"], row["tune_score"]) == ("1.2", "delta", "61.0", "71.0")


def test_the_summary_names_the_best_and_its_test_figures(comparison, tmp_path):
    write_summary(comparison, tmp_path / "summary.json")
    summary = json.loads((tmp_path / "summary.json").read_text())
    (best,) = summary["best_by_tune_split"]
    assert best["values"] == {BETA: 0.3, KIND: "linear"}
    assert best["test"]["3"]["miou"] == 71.0
    assert summary["settings"] == 3
    assert headline(comparison) == {"best_delta_T1_miou": 80.0, "best_delta_T3_miou": 71.0}


def test_the_page_says_which_split_chose_and_fetches_nothing(comparison):
    page = render(comparison).replace("\u00a0", " ")
    assert "Best by the tune split" in page
    assert (
        "delta: distill.loss.beta 0.3, distill.students.kind linear (72.00 ± 1.41 on the tune split" in page
    )
    assert "1 of the 2 others lie within the spread of its seeds" in page
    assert "71.00 ± 1.41 mIoU at 0.333 of the teacher&#39;s MACs" in page
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    assert "None" not in page


def test_the_page_calls_the_score_by_its_name(made_up):
    for path in (made_up / "results").rglob("sweep.json"):
        path.write_text(path.read_text().replace("miou", "map50").replace('"iou"', '"ap50"'))
    page = render(read_comparison(made_up / "settings.json", made_up / "results"))
    assert "Chosen by the mean mAP@0.5 on the tune split" in page
    assert "Tune: mAP@0.5 on the tune split" in page
    assert "mIoU" not in page


def put_times(folder, **shares):
    """Times of a setting or teacher, at T = 3, as shares of its teacher's in the fastest engine, 8 ms."""
    teacher = {"network": {"frame_ms": {"median": 8.0, "p95": 8.0}, "speedup": {"1": 1.0}}}
    streams = {
        name: {
            "network": {
                "key_ms": {"median": 9.0, "p95": 9.0},
                "delta_ms": {"median": 1.0, "p95": 1.0},
                "amortised_ms": {"3": 8 * share},
                "speedup": {"3": 1 / share},
            }
        }
        for name, share in shares.items()
    }
    condition = {"batch": 1, "threads": 1, "rounds": 20, "baselines": {"network": "fast"}}
    engines = {"fast": {"teacher": teacher, **streams}}
    put(
        folder / "measure_latency" / "latency.json",
        {"size": [3, 8, 8], "conditions": [condition | {"engines": engines}]},
    )


@pytest.fixture
def timed(made_up):
    for setting, share in (("beta0p3", 0.5), ("base", 0.8)):
        put_times(made_up / "results/settings" / setting, delta=share)
    put_times(made_up / "results/teachers/base", copy=0.4)
    return read_comparison(made_up / "settings.json", made_up / "results")


def test_settings_are_compared_by_time_as_a_share_of_the_teachers_that_took_turns(timed):
    point = entry_of(timed, "beta0p3").points[3]
    assert (point.ms, point.speedup, point.engine) == (4.0, 2.0, "fast")
    assert [drawing.name for drawing in drawings(timed)][:2] == [
        "accuracy_against_macs",
        "accuracy_against_time",
    ]
    (axes,) = against_cost(timed, SHARE_OF_TIME).axes
    drawn = sorted(round(float(each.lines[0].get_xdata()[0]), 3) for each in axes.containers)
    assert drawn == [0.4, 0.5, 0.8, 1.0]  # the setting that was not timed is left out


def test_times_stand_in_table_file_and_summary_of_a_sweep(timed, tmp_path):
    page = render(timed).replace("\u00a0", " ")
    assert "of the teacher&#39;s MACs and ×2.00 the speed of its fastest engine (fast), T = 3" in page
    assert "<td>×1.25</td>" in page
    assert "None" not in page
    write_comparison(timed, tmp_path / "comparison.csv")
    rows = list(csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines()))
    row = next(row for row in rows if row["setting"] == "base" and row["length"] == "3")
    assert (row["ms"], row["speedup"], row["engine"]) == ("6.4", "1.25", "fast")
    write_summary(timed, tmp_path / "summary.json")
    (best,) = json.loads((tmp_path / "summary.json").read_text())["best_by_tune_split"]
    assert best["test"]["3"]["speedup"] == 2


def test_a_sweep_of_before_times_were_measured_has_no_words_on_them(comparison):
    assert "accuracy_against_time" not in [drawing.name for drawing in drawings(comparison)]
    assert "speed" not in render(comparison).split("</style>")[1]


def test_only_keys_that_are_numbers_and_differ_are_drawn(comparison):
    page = render(comparison)
    assert 'id="over_distill_loss_beta"' in page
    assert 'id="over_distill_students_kind"' not in page


def test_a_line_over_a_key_joins_its_rising_values(comparison):
    (axes,) = over_key(comparison, BETA).axes
    lines = [line.get_xydata().tolist() for line in axes.lines if len(line.get_xdata()) == 3]
    assert [[0.3, 71.0], [0.6, 75.0], [1.2, 61.0]] in lines


def test_every_value_of_the_colouring_key_is_in_the_legend(comparison):
    (axes,) = against_cost(comparison, MACS).axes
    assert axes.get_legend_handles_labels()[1] == ["beta 0.3", "beta 0.6", "beta 1.2", "delta"]
    colours = {line.get_color() for line in axes.lines if line.get_label().startswith("beta")}
    assert len(colours) == 3


def test_values_are_put_in_order_numbers_first():
    assert distinct([3, "svd", 0.5, None, 3, "data"]) == [0.5, 3, None, "data", "svd"]


def test_a_setting_that_is_not_finished_is_left_out_and_named(made_up):
    (made_up / "results/settings/beta1p2/per_seed/seed1/distill/delta/metrics.json").unlink()
    found = read_comparison(made_up / "settings.json", made_up / "results")
    assert {entry.setting for entry in found.swept} == {"base", "beta0p3"}
    assert "seed1/distill/delta/metrics.json is missing" in found.unfinished["settings/beta1p2"]
    assert "settings/beta1p2" in render(found)


def test_nothing_finished_is_an_error(made_up):
    for path in (made_up / "results/settings").rglob("sweep.json"):
        path.unlink()
    with pytest.raises(ValueError, match="no setting is finished"):
        read_comparison(made_up / "settings.json", made_up / "results")


def test_labels_and_fidelity_are_not_compared(made_up):
    path = made_up / "results/settings/base/per_seed/seed0/sweep_sequence_length/delta/sweep.json"
    path.write_text(path.read_text().replace('"labels"', '"teacher"'))
    with pytest.raises(ValueError, match="mIoU against labels, mIoU against labels and teacher cannot"):
        read_comparison(made_up / "settings.json", made_up / "results")


def test_one_seed_says_that_no_spread_is_known(made_up):
    path = made_up / "settings.json"
    path.write_text(path.read_text().replace('"seeds": [0, 1]', '"seeds": [0]'))
    page = render(read_comparison(path, made_up / "results"))
    assert "no spread is known" in page
    assert "±" not in page.split("<main>")[1]
