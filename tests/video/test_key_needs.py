"""Frames that do not go on from the one before are key frames: gaps, sizes, long steps, cuts."""

import numpy as np
from preparation.small_videos import drifting, noise

from deltadistill.video.key_needs import KeyNeeds
from deltadistill.video.video_frame import VideoFrame


def why(frames, **options):
    needs = KeyNeeds(**options)
    return {place: reason for place, frame in enumerate(frames) if (reason := needs.why(frame))}


def steady(count, **changes):
    frames = [VideoFrame(pixels, n / 25, False, n) for n, pixels in enumerate(drifting(count))]
    for place, change in changes.items():
        frames[int(place[1:])] = frames[int(place[1:])]._replace(**change)
    return frames


def test_a_steady_film_needs_none():
    assert why(steady(30)) == {}


def test_a_frame_behind_a_gap_and_one_of_another_size_is_one():
    small = np.zeros((24, 32, 3), np.uint8)
    frames = steady(12, _4={"follows_gap": True}, _8={"pixels": small}, _9={"pixels": small})
    assert why(frames, scene_cut=None) == {4: "gap", 8: "size", 10: "size"}


def test_a_step_of_more_than_four_usual_ones_and_one_back_is_one():
    late = steady(10)
    late = [frame._replace(seconds=frame.seconds + (0.13 if n >= 6 else 0)) for n, frame in enumerate(late)]
    assert why(late) == {6: "time"}
    just = [f._replace(seconds=n / 25 + (0.11 if n >= 6 else 0)) for n, f in enumerate(late)]
    assert why(just) == {}
    assert why(steady(10, _5={"seconds": 0.0})) == {5: "time", 6: "time"}  # back, and on again


def test_frames_without_times_have_no_long_steps():
    assert why([frame._replace(seconds=None) for frame in steady(6)]) == {}


def test_a_scene_cut_is_one_unless_nobody_looks_for_it():
    other = [VideoFrame(255 - pixels // 4, None, False, n) for n, pixels in enumerate(noise(1, (48, 64)) * 6)]
    frames = [*(frame._replace(seconds=None) for frame in steady(6)), *other]
    assert why(frames) == {6: "scene cut"}
    assert why(frames, scene_cut=None) == {}
