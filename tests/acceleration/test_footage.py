"""Videos in parts and shots: in time, and never across a cut."""

import numpy as np
import pytest
from acceleration.conftest import shot
from preparation.small_videos import drifting, grey, noise, write_video

from deltadistill.acceleration.footage import read_footage, samples, split


def numbers(part):
    return [number for each in part for number in each.numbers]


def test_a_video_is_split_in_time_into_60_20_and_20_percent():
    parts = split([[shot(drifting(50))]])
    assert numbers(parts.learning) == list(range(30))
    assert numbers(parts.choosing) == list(range(30, 40))
    assert numbers(parts.testing) == list(range(40, 50))


def test_every_video_is_in_every_part():
    parts = split([[shot(drifting(20), video="a")], [shot(drifting(40), video="b")]])
    for part, lengths in ((parts.learning, (12, 24)), (parts.choosing, (4, 8)), (parts.testing, (4, 8))):
        assert [(each.video, len(each)) for each in part] == list(zip("ab", lengths, strict=True))


def test_a_shot_ends_at_a_cut_and_no_sequence_crosses_it(tmp_path):
    film = [*drifting(20), *(255 - noise(1, (48, 64))[0] // 4 for _ in range(30))]
    path = write_video(tmp_path / "film.mp4", film)
    (shots,), _ = read_footage([str(path)], size=(24, 32), fit="stretch")
    assert [list(each.numbers) for each in shots] == [list(range(20)), list(range(20, 50))]
    assert shots[0].frames[0].shape == (24, 32, 3)
    for sample in samples(shots, longest=8, most=100):
        taken = sample.numbers(8)
        assert len(taken) == 8
        assert (max(taken) < 20) == (min(taken) < 20)


def test_any_beginning_of_the_sequences_is_spread_over_the_part():
    starts = [sample.start for sample in samples([shot(drifting(101))], longest=2, most=8)]
    assert len(starts) == 8
    assert max(starts[:3]) - min(starts[:3]) >= 50


def test_a_shot_shorter_than_the_longest_sequence_gives_one():
    assert [each.start for each in samples([shot(drifting(5))], longest=20, most=9)] == [0]


def test_a_video_that_is_too_short_is_refused_with_its_name():
    with pytest.raises(ValueError, match=r"short\.mp4: too few frames"):
        split([[shot(drifting(6), video="short.mp4")]])


def test_a_live_source_is_refused():
    with pytest.raises(ValueError, match="camera:0"):
        read_footage(["camera:0"], size=(8, 8), fit="stretch")


def test_frames_are_those_of_the_video():
    frames = [grey(level) for level in range(0, 100, 5)]
    part = split([[shot(frames)]]).testing[0]
    assert np.array_equal(part.frames[0], frames[part.numbers[0]])
