"""The report of an experiment on boxes: scores by their own name, consistency along tracks, pictures."""

import json

import numpy as np
import pytest

from deltadistill.data.boxes import Objects
from deltadistill.pipeline.report.animation import compose
from deltadistill.pipeline.report.box_scene import BoxScene, unmatched
from deltadistill.pipeline.report.headline import headline
from deltadistill.pipeline.report.page import render
from deltadistill.pipeline.report.paint import palette
from deltadistill.pipeline.report.publish import headline_figures, write_figures
from deltadistill.pipeline.report.storyboard import storyboard
from deltadistill.pipeline.report.tables import DASH, motion_table
from deltadistill.pipeline.results.summary import read_summary, summarise, write_summary
from deltadistill.pipeline.results.variants import NOUNS, Variant

VARIANTS = {noun: Variant("stream", role, noun) for role, noun in NOUNS.items()}
TABLE = palette([(128, 64, 128), (0, 0, 142)])
NAMES = {"miou": "map50", "iou": "ap50", "miou_per_distance": "map50_per_distance"}


def rewrite(path, change):
    content = json.loads(path.read_text())
    content["lengths"] = {length: change(scores) for length, scores in content["lengths"].items()}
    path.write_text(json.dumps(content))


def named_for_boxes(scores):
    further = {"map": scores["miou"] / 2, "map50_slow": 90.0, "map50_medium": None, "map50_fast": 10.0}
    return {NAMES.get(key, key): value for key, value in scores.items()} | further


@pytest.fixture
def results(tree, read):
    """A tree of made-up figures, renamed as detection has them."""
    for path in tree.results.rglob("sweep.json"):
        rewrite(path, named_for_boxes)
    for path in tree.results.rglob("consistency.json"):
        rewrite(path, lambda ways: {"tracks": {"all": ways["dis"]["visible"]}})
    return read(tree)


def test_the_summary_has_map_in_the_place_of_miou_and_reads_back(results, tmp_path):
    summary = summarise(results)
    write_summary(summary, tmp_path / "summary.json")
    content = json.loads((tmp_path / "summary.json").read_text())
    point = content["variants"]["delta"]["3"]
    expected = {"map50", "map", "map50_slow", "map50_fast", "gmacs", "macs_ratio", "consistency"}
    times = {"ms", "speedup", "engine", "end_to_end_ms", "end_to_end_speedup"}
    assert set(point) == expected | times
    assert point["map"] == pytest.approx(point["map50"] / 2, abs=1e-3)
    assert content["measure"] == "map50"
    assert content["consistency_flow"] == "tracks"
    assert {"map50", "map", "gmacs"} <= set(content["teacher"])
    assert read_summary(tmp_path / "summary.json") == summary


def test_headline_claims_and_tracked_figures_speak_of_map(results):
    summary = summarise(results)
    text = headline(summary)
    assert "mAP@0.5" in text
    assert "mIoU" not in text
    claims = {claim.name: claim for claim in summary.claims}
    assert claims["accuracy kept"].bound == "at most 2.0 mAP@0.5 below finetuned"
    assert (
        claims["half the compute"].bound == "at most 0.55 at T = 3 and 0.40 at T = 10 of the teacher's MACs"
    )
    assert "delta_T3_map50" in headline_figures(summary)


def test_the_page_names_scores_and_consistency_of_boxes(results, tmp_path):
    summary = summarise(results)
    clip = scene()
    page = render(results, summary, (clip,))
    assert "mIoU" not in page.split("</style>")[1]
    for words in ("AP@0.5 per class", "detections carried along the true motion", "An object detector"):
        assert words in page
    assert clip.legend in page
    by_length, *_ = write_figures(summary, tmp_path)
    assert by_length.name == "map50_against_length.png"


def test_a_table_has_the_scores_of_slow_medium_and_fast_objects(results):
    table = motion_table(results, summarise(results))
    assert table.columns == ("variant", "mAP@0.5 %", "mAP@[.5:.95]", "slow", "medium", "fast")
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(rows)[:3] == ["teacher, T = 1", "finetuned, T = 1", "delta, T = 1"]
    assert {name for name in rows if name.startswith("copy")} == {f"copy, T = {t}" for t in (1, 3, 10)}
    score = results.sweeps["delta"][0].lengths[3].score
    assert rows["delta, T = 3"] == (f"{score:.1f}", f"{score / 2:.1f}", "90.0", DASH, "10.0")
    assert "mean IoU above 0.9" in render(results, summarise(results), ())


def test_masks_have_no_table_of_motion(tree, read):
    masks = read(tree)
    assert motion_table(masks, summarise(masks)) is None


def scene(**changes):
    """Two frames with an object each: delta finds the first, misses the second, and is wrong once."""
    images = np.full((2, 40, 60, 3), 100, np.uint8)
    objects = tuple(Objects([[10 + 8 * t, 10, 30 + 8 * t, 30]], [1]) for t in range(2))
    right = [[[10, 10, 30, 30, 0.9, 1], [0, 0, 0, 0, 0, -1]], [[18, 10, 38, 30, 0.9, 1], [0, 0, 0, 0, 0, -1]]]
    delta = [right[0], [[50, 0, 60, 10, 0.8, 0], [0, 0, 0, 0, 0, -1]]]
    predictions = {"teacher": np.array(right, np.float32), "delta": np.array(delta, np.float32)}
    fields = {"clip": "a", "period": 2, "images": images, "truths": objects, "predictions": predictions}
    return BoxScene(**fields | {"variants": VARIANTS} | changes)


def test_what_is_missed_and_what_is_wrong_is_counted():
    shown = scene()
    assert [shown.mistakes("delta", t, TABLE).note for t in range(2)] == [
        "0 missed, 0 wrong",
        "1 missed, 1 wrong",
    ]
    board = storyboard(shown, TABLE)
    assert "delta: missed and wrong" in dict(board.rows)
    assert "thin, a box that finds none" in board.legend


def test_without_objects_the_teachers_boxes_stand_for_them():
    shown = scene(truths=None)
    assert shown.mistakes("delta", 1, TABLE).note == "1 missed, 1 wrong"
    assert "ground truth" not in dict(storyboard(shown, TABLE).rows)


def test_a_box_is_drawn_where_it_lies_in_the_colour_of_its_class():
    blended = scene().blended("teacher", 0, TABLE)
    assert blended.shape == (80, 120, 3)
    assert blended[40, 20].tolist() == [0, 0, 142]  # the left edge, twice as large
    assert blended[40, 40].tolist() == [55, 55, 55]
    assert compose(scene(), 1, TABLE, panels=("teacher", "ours")).size[0] == 800


def test_an_object_is_found_once_by_the_surest_box_of_its_class():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10]])
    found = scene().found("delta", 0)
    found = type(found)(boxes, [0.5, 0.9, 0.8], [1, 1, 0])
    missed, wrong = unmatched(found, Objects([[0, 0, 10, 10], [40, 0, 50, 10]], [1, 1]))
    assert (missed.tolist(), wrong.tolist()) == ([False, True], [True, False, True])
