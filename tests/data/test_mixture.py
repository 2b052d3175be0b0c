from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from data import small_dataset

from deltadistill.data.mixture import EvenMixture


@pytest.fixture
def manifest(tmp_path):
    """Two videos of 6 and 2 frames and three stills to train on; no still to tune on."""
    made = small_dataset.make_manifest(tmp_path)
    frames = [frame for frame in made.frames if frame.clip != "train1" or frame.index < 2]
    stills = [replace(made.frames[n], clip=f"still{n}", index=0) for n in range(3)]
    return type(made).of([*frames, *stills], made.info)


def drawn(manifest, split, count, seed=0):
    return EvenMixture(manifest, split).draw(count, np.random.default_rng(seed))


def test_half_are_stills_and_videos_are_equally_likely_whatever_their_length(manifest):
    counted = Counter(frame.clip for frame in drawn(manifest, "train", 6000))
    assert sum(n for clip, n in counted.items() if "still" in clip) == 3000
    assert all(900 < counted[f"still{number}"] < 1100 for number in range(3))
    assert 1380 < counted["train0"] < 1620


def test_their_order_is_random(manifest):
    kinds = ["still" in frame.clip for frame in drawn(manifest, "train", 40)]
    assert kinds != sorted(kinds)
    assert kinds != sorted(kinds, reverse=True)


def test_the_odd_one_out_is_either(manifest):
    stills = {sum("still" in f.clip for f in drawn(manifest, "train", 5, seed)) for seed in range(20)}
    assert stills == {2, 3}


def test_the_same_draws_give_the_same_frames(manifest):
    assert drawn(manifest, "train", 9, seed=4) == drawn(manifest, "train", 9, seed=4)


def test_a_split_without_stills_or_without_videos_gives_what_it_has(manifest):
    assert {frame.clip for frame in drawn(manifest, "tune", 10)} == {"tune0"}
    alone = replace(manifest, frames=tuple(f for f in manifest.frames if "still" in f.clip))
    assert all("still" in frame.clip for frame in drawn(alone, "train", 10))
    with pytest.raises(ValueError, match="split tune is empty"):
        EvenMixture(alone, "tune")
