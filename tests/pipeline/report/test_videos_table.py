"""Whole videos in the report: a table, and figures in the summary; without any neither."""

import json

import pytest

from deltadistill.pipeline.report.figures import over_time
from deltadistill.pipeline.report.page import render
from deltadistill.pipeline.results.results import read_results
from deltadistill.pipeline.results.summary import read_summary, summarise, write_summary

from .conftest import read_tree, shown

SCHEDULES = ("every_3", "adaptive")


def of_frames(score, *, key_frames):
    costs = {"gmacs": 0.316 * (0.21 + 0.79 * key_frames), "milliseconds": 5.5, "state_bytes": 10.0}
    return {"miou": score} | costs | {"key_frames": key_frames}


def window(begins, score, updates):
    costs = {"key_frames": 0.25, "gmacs": 0.2, "milliseconds": 5.5}
    return {"begins": begins, "frames": 300, "score": score, "updates": updates} | costs


def write_videos(tree, seed, *, adaptive, windows=()):
    folder = tree.results / f"per_seed/seed{seed}/evaluate_videos/delta"
    folder.mkdir(parents=True)
    frames = dict(zip(SCHEDULES, (of_frames(70.0, key_frames=0.25), adaptive), strict=True))
    scores = {
        name: {"whole": of, "macs_ratio": of["gmacs"] / 0.316, "curve": [of], "videos": {"clip": of}}
        for name, of in frames.items()
    }
    scores["adaptive"] |= {"windows": {"clip": list(windows)}} if windows else {}
    written = {"variant": "delta", "reference": "labels", "schedules": scores}
    (folder / "videos.json").write_text(json.dumps(written))
    provenance = {"stage": "evaluate_videos", "minutes": 0.5, "seed": seed, "variant": "delta"}
    (folder / "provenance.json").write_text(json.dumps(provenance))


@pytest.fixture
def results(build, tmp_path):
    tree = build(tmp_path, seeds=(0, 1))
    write_videos(tree, 0, adaptive=of_frames(74.0, key_frames=0.5))
    write_videos(tree, 1, adaptive=of_frames(76.0, key_frames=0.5))
    given = {"data": tree.data, "seeds": tree.seeds, "distilled": tree.distilled, "videos": ["delta"]}
    return read_results(tree.results, variants=shown(tree.variants), **given)


def test_every_schedule_is_a_row_with_score_and_cost(results):
    page = render(results, summarise(results), ())
    row = page.split(">adaptive</td>")[1].split("</tr>")[0]
    cells = [cell.split("</td>")[0] for cell in row.split("<td>")[1:]]
    assert cells == ["50.0", "75.0<small> ±\xa01.4</small>", "–", "0.1912", "0.60", "5.50"]


def test_the_summary_has_the_means_and_reads_back(results, tmp_path):
    summary = summarise(results)
    assert summary.videos["delta"]["adaptive"].score == 75
    assert summary.minutes["evaluate_videos"] == 0.5
    write_summary(summary, tmp_path / "summary.json")
    assert read_summary(tmp_path / "summary.json").videos == summary.videos


def test_without_whole_videos_there_is_no_word_of_them(tree, tmp_path):
    results = read_tree(tree)
    write_summary(summary := summarise(results), tmp_path / "summary.json")
    assert "videos" not in json.loads((tmp_path / "summary.json").read_text())
    assert "Whole test videos" not in render(results, summary, ())
    assert "Whole test videos in windows" not in render(results, summary, ())


def test_scores_lie_over_the_updates_of_the_same_windows(build, tmp_path):
    tree = build(tmp_path, seeds=(0,))
    course = window(0.0, 60.0, 0.5), window(30.0, None, 0.25), window(60.0, 80.0, 0.125)
    write_videos(tree, 0, adaptive=of_frames(74.0, key_frames=0.5), windows=course)
    given = {"data": tree.data, "seeds": tree.seeds, "distilled": tree.distilled, "videos": ["delta"]}
    results = read_results(tree.results, variants=shown(tree.variants), **given)
    above, below = over_time.draw(results).axes
    (scores,), (updates,) = above.lines, below.lines
    assert scores.get_xydata().tolist() == [[15, 60], [75, 80]]  # in the middle of their windows
    assert updates.get_xydata().tolist() == [[15, 150], [45, 75], [75, 37.5]]
    assert "Whole test videos in windows" in render(results, summarise(results), ())
