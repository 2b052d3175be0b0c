"""Targets of frames: one number each in the manifest, and in batches."""

from dataclasses import replace

import pytest
from data import small_dataset

from deltadistill.data import frame_targets
from deltadistill.data.batches import TrainingBatches
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Manifest
from deltadistill.data.transforms import Augment


@pytest.fixture
def manifest(tmp_path):
    """Frames labelled with a class as a whole; every third one with none."""
    plain = small_dataset.make_manifest(tmp_path, frames=8)
    frames = [replace(f, label=None, target=None if f.index % 3 == 2 else f.index / 4) for f in plain.frames]
    return Manifest(tuple(frames), replace(plain.info, named_task="classification"))


def test_targets_are_written_and_read_back(manifest, tmp_path):
    path = tmp_path / "manifest.csv"
    manifest.write(path)
    assert path.read_text().splitlines()[0].endswith("origin,target")
    assert Manifest.read(path) == manifest
    assert manifest.counts()["labelled"]["train"] == sum(
        frame.target is not None for frame in manifest.frames if frame.split == "train"
    )


def test_seconds_and_targets_stand_side_by_side(manifest, tmp_path):
    timed = replace(manifest, frames=tuple(replace(f, seconds=f.index / 10) for f in manifest.frames))
    timed.write(tmp_path / "manifest.csv")
    assert (tmp_path / "manifest.csv").read_text().splitlines()[0].endswith("seconds,target")
    assert Manifest.read(tmp_path / "manifest.csv") == timed


def test_a_manifest_without_targets_has_no_column_of_them(tmp_path):
    small_dataset.make_manifest(tmp_path).write(tmp_path / "manifest.csv")
    assert (tmp_path / "manifest.csv").read_text().splitlines()[0].endswith("origin")


@pytest.mark.parametrize("text", ["one", "nan", "inf", "1e999", "1_0"])
def test_what_is_no_number_is_refused(manifest, tmp_path, text):
    path = tmp_path / "manifest.csv"
    manifest.write(path)
    lines = path.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + f",{text}"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=f"line 2: target '{text}' is not a finite number"):
        Manifest.read(path)


@pytest.mark.parametrize(("target", "text"), [(3.0, "3"), (0.1, "0.1"), (-2.5, "-2.5"), (None, "")])
def test_whole_numbers_are_written_without_a_point(target, text):
    assert frame_targets.written(target) == text
    assert frame_targets.read(text) == target


def test_batches_have_a_number_for_each_frame_and_end_on_one_that_has_any(manifest):
    store = FrameStore(manifest)
    batches = TrainingBatches(
        store, "train", steps=5, batch=4, clip_length=3, max_distance=4, augment=Augment((16, 24)), seed=0
    )
    for step in range(5):
        labels = batches[step]["label"]
        assert labels.shape == (4, 3)
        assert not labels[:, -1].isnan().any()
    assert {value for step in range(5) for value in batches[step]["label"].flatten().tolist()} - {
        float(index) / 4 for index in range(8)
    }  # some are NaN


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (None, ""), (0.0, "0"), (-3.0, "-3"), (0.5, "0.5"), (2.0**53 - 1, "9007199254740991"),
        (2.0**53, "9007199254740992.0"), (-(2.0**53), "-9007199254740992.0"), (1e20, "1e+20"),
    ],
)  # fmt: skip
def test_whole_numbers_are_written_in_full_as_far_as_floats_tell_them_apart(target, text):
    assert frame_targets.written(target) == text
    assert frame_targets.is_readable(text)
    assert frame_targets.read(text) == target


def test_frames_are_equally_likely_where_stills_stand_beside_videos(manifest):
    """Of boxes half of what is drawn are stills; a class may be another from frame to frame of a video."""
    still = replace(manifest.clips("train")["train0"][0], clip="still")
    mixed = Manifest.of([*manifest.frames, still], manifest.info)
    augment = Augment(crop=small_dataset.SIZE)
    options = {"clip_length": 1, "max_distance": 1, "augment": augment, "seed": 0}
    drawn = TrainingBatches(FrameStore(mixed), "train", steps=1, batch=400, **options)[0]
    targets = drawn["label"].flatten().tolist()
    # two videos of the indices 0, 1, 3, 4, 6 and 7 with a target, a quarter of each, and a still of 0
    assert 400 * 1.5 / 13 < targets.count(0) < 400 * 5 / 13
    assert all(targets.count(index / 4) > 400 / 13 for index in (1, 3, 4, 6, 7))
