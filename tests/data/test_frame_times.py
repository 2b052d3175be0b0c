"""Times of frames in a manifest: there where a source has them, and no part of older files."""

from dataclasses import replace

import pytest
from data import small_dataset

from deltadistill.data.frame_times import faults, frames_per_second
from deltadistill.data.manifest import COLUMNS, Manifest


@pytest.fixture
def manifest(tmp_path):
    return small_dataset.make_manifest(tmp_path)


def timed(manifest, seconds):
    return replace(manifest, frames=tuple(replace(f, seconds=seconds(f)) for f in manifest.frames))


def test_times_read_back_to_the_last_bit(tmp_path, manifest):
    made = timed(manifest, lambda frame: frame.index / 29.97 if frame.clip != "test0" else None)
    made.write(tmp_path / "manifest.csv")
    assert Manifest.read(tmp_path / "manifest.csv") == made
    lines = (tmp_path / "manifest.csv").read_text().splitlines()
    assert lines[0] == ",".join((*COLUMNS, "seconds"))
    assert lines[2].endswith(f",true,{1 / 29.97!r}")
    assert lines[-1].endswith(",true,")


def test_a_source_without_times_has_the_columns_it_always_had(tmp_path, manifest):
    manifest.write(tmp_path / "manifest.csv")
    assert (tmp_path / "manifest.csv").read_text().splitlines()[0] == ",".join(COLUMNS)


def test_faults_of_times_are_named_by_clip():
    clips = {
        "fine": [0.0, 0.5, 2.0],
        "untimed": [None, None],
        "partly": [0.0, None, 1.0],
        "still": [0.0, 0.5, 0.5],
        "back": [0.0, 2.0, 1.0],
        "below": [-1.0, 0.0, 1.0],
        "endless": [0.0, float("inf")],
    }
    frames = [(clip, index, at) for clip, times in clips.items() for index, at in enumerate(times)]
    assert faults(reversed(frames)) == [
        "clip back has seconds that do not rise from frame to frame",
        "clip below has seconds that are no numbers from 0",
        "clip endless has seconds that are no numbers from 0",
        "clip partly has seconds for 2 of its 3 frames; all or none",
        "clip still has seconds that do not rise from frame to frame",
    ]


def test_a_manifest_with_times_that_do_not_rise_is_neither_written_nor_read(tmp_path, manifest):
    path = tmp_path / "manifest.csv"
    with pytest.raises(ValueError, match="clip train0 has seconds that do not rise"):
        timed(manifest, lambda frame: 5.0 - frame.index).write(path)
    timed(manifest, lambda frame: float(frame.index)).write(path)
    path.write_text(path.read_text().replace(",true,2.0", ",true,0.5", 1))
    with pytest.raises(ValueError, match="clip train0 has seconds that do not rise"):
        Manifest.read(path)


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "1_0", "１", "1e400"])
def test_a_field_that_is_no_time_is_named_by_line(tmp_path, manifest, text):
    path = tmp_path / "manifest.csv"
    timed(manifest, lambda frame: float(frame.index)).write(path)
    path.write_text(path.read_text().replace(",true,1.0", f",true,{text}", 1))
    with pytest.raises(ValueError, match=f"line 3: seconds '{text}' are not a number from 0"):
        Manifest.read(path)


def test_the_rate_is_that_of_the_median_step():
    assert frames_per_second([0, 0.04, 0.08, 2.0]) == 25
    assert frames_per_second([3.0, 3.5]) == 2
    assert frames_per_second([0.0]) is None
    assert frames_per_second([0.0, None, 0.1]) is None
    assert frames_per_second([0, 0.3, 0.6, 0.7]) == 3.333
    assert frames_per_second([1.0, 1.0, 1.0, 2.0]) is None  # no step in between
    assert frames_per_second([3.0, 2.0, 1.0]) is None
