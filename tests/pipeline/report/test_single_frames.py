"""The report where every frame is a key frame, as of stills: nothing of sequences is told or drawn."""

import dataclasses

import pytest
from pipeline.report.test_stream_memory import with_peaks

from deltadistill.pipeline.report import words
from deltadistill.pipeline.report.drawings import drawings
from deltadistill.pipeline.report.publish import write_figures
from deltadistill.pipeline.results.summary import summarise

OF_SEQUENCES = {"accuracy_against_length", "accuracy_against_distance", "consistency_against_length"}


@pytest.fixture
def results(street, read):
    return read(street)


@pytest.fixture
def stills(results):
    summary = summarise(results)
    first = {name: {1: points[1]} for name, points in summary.variants.items()}
    kept = dataclasses.replace(summary, variants=first, videos={})
    return with_peaks(kept, teacher={"peak_mib": 0.8}, delta={"peak_mib": 0.2})


def test_what_has_longer_sequences_is_not_of_single_frames(results, stills):
    assert stills.is_of_single_frames
    assert not summarise(results).is_of_single_frames


def test_the_opening_tells_of_networks_on_every_frame_and_what_they_cost(results, stills):
    assert words.title(stills) == "Networks on every frame: street"
    first, compared, outcome = words.lead(results, stills)[:3]
    assert first.endswith("and cheaper networks that learned from it answer every frame by themselves.")
    assert "compared with the teacher, finetuned, feature, small and copy." in compared
    assert "delta" not in compared
    assert outcome == (
        "Delta distillation reaches 76.1 ± 0.1 % mIoU at 100 % of the teacher's MACs and 25 % of its "
        "theoretical peak memory; the teacher 75.7 ± 0.1 %."
    )


def test_memory_is_drawn_and_nothing_over_sequence_lengths(results, stills, tmp_path):
    drawn = drawings(results, stills)
    assert not OF_SEQUENCES & set(drawn)
    assert "theoretical peak of a frame, weights apart" in drawn["accuracy_against_memory"].caption
    assert set(drawings(results, summarise(results))) >= OF_SEQUENCES
    names = {path.name for path in write_figures(stills, tmp_path)}
    assert names == {"accuracy_against_macs.png", "accuracy_against_time.png", "accuracy_against_memory.png"}
