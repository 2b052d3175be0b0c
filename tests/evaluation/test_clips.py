"""Windows of the tune split, on which a training is looked at."""

from types import SimpleNamespace

import pytest

from deltadistill.data.manifest import DatasetInfo, Frame, Manifest
from deltadistill.evaluation.clips import tune_windows


def store(labelled, *, clips=1, frames=30):
    """Clips of which the frames with the indices `labelled` have a label."""
    made = [
        Frame(f"clip{number}", index, "tune", f"{number}_{index}.png", "label" if index in labelled else None)
        for number in range(clips)
        for index in range(frames)
    ]
    manifest = Manifest(tuple(made), DatasetInfo("cityscapes", (2, 2), ()))
    return SimpleNamespace(manifest=manifest, is_annotated=lambda frame: frame.label is not None)


def starts(found):
    return [(int(window[0].clip[4:]), window[0].index) for window in found]


@pytest.mark.parametrize("labelled", [range(30), []], ids=["all", "none"])
def test_windows_lie_side_by_side_where_all_or_no_frames_are_labelled(labelled):
    found = tune_windows(store(labelled, clips=2), 8)
    assert starts(found) == [(clip, start) for clip in (0, 1) for start in (0, 8, 16)]
    assert all([f.index - w[0].index for f in w] == list(range(8)) for w in found)


def test_a_sparse_label_stands_at_every_distance_in_turn():
    found = tune_windows(store([19], clips=5), 4)
    assert starts(found) == [(0, 19), (1, 18), (2, 17), (3, 16), (4, 19)]
    assert all(len(window) == 4 for window in found)


def test_a_window_stays_in_its_clip_and_meets_no_other():
    assert starts(tune_windows(store([29], clips=2), 4)) == [(0, 26), (1, 26)]
    # 10 and 11 share a window; that of 14 begins after it, not at 13; that of 29 at 26, the last place
    assert starts(tune_windows(store([10, 11, 14, 29], frames=30), 4)) == [(0, 10), (0, 14), (0, 26)]
    assert starts(tune_windows(store([2, 5], frames=7), 4)) == [(0, 2)]


def test_too_short_clips_are_named():
    with pytest.raises(ValueError, match="no clip of the tune split holds 8 frames"):
        tune_windows(store([3], frames=7), 8)
