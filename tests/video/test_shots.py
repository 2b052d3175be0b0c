import numpy as np
import pytest

from deltadistill.video.shots import ShotDetector


def textured(seed, brightness=0):
    """A smooth random picture."""
    draws = np.random.default_rng(seed)
    coarse = draws.integers(0, 200, (6, 12, 3)) + brightness
    return np.kron(coarse, np.ones((16, 16, 1))).clip(0, 255).astype(np.uint8)


def starts(frames, threshold=0.5):
    detector = ShotDetector(threshold)
    return [index for index, frame in enumerate(frames) if detector.begins_shot(frame)]


def test_a_change_of_scene_begins_a_shot():
    frames = [textured(0)] * 5 + [255 - textured(1)] * 4 + [textured(2) // 3] * 6
    assert starts(frames) == [5, 9]


def test_a_moving_picture_is_one_shot():
    wide = np.concatenate([textured(0), textured(1)], axis=1)
    assert starts([wide[:, 8 * step : 8 * step + 192] for step in range(20)]) == []


def test_drifting_light_and_noise_are_one_shot():
    draws = np.random.default_rng(0)
    frames = [
        (textured(0) * (0.6 + 0.02 * step) + draws.integers(0, 8, (96, 192, 3))).clip(0, 255).astype(np.uint8)
        for step in range(20)
    ]
    assert starts(frames) == []


def test_a_steady_flicker_is_soon_taken_as_usual():
    flicker = [textured(0, 90 * (step % 2)) for step in range(12)]
    assert starts(flicker, threshold=0.5) == [1, 2, 3]


def test_a_lower_threshold_finds_more():
    frames = [textured(0)] * 4 + [textured(0, 25)] * 4
    assert starts(frames, threshold=0.9) == []
    assert starts(frames, threshold=0.05) == [4]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_an_impossible_threshold_is_refused(threshold):
    with pytest.raises(ValueError, match=r"lies in \(0, 1\]"):
        ShotDetector(threshold)
