import math

import numpy as np
import pytest

from deltadistill.preparation.street.draws import Draws, wave


def test_equal_keys_give_equal_draws_and_other_keys_others():
    first, again, other = Draws(1, 2, 3), Draws(1, 2, 3), Draws(1, 2, 4)
    drawn = [first.uniform(0, 1) for _ in range(5)]
    assert drawn == [again.uniform(0, 1) for _ in range(5)]
    assert drawn != [other.uniform(0, 1) for _ in range(5)]


def test_known_draws_stay_what_they_are():
    draws = Draws(0, 1, 2)
    values = (draws.uniform(-1, 1), draws.integer(0, 1000), draws.pick("abcd"))
    assert values == KNOWN_DRAWS


def test_draws_stay_in_their_range():
    draws = Draws(5)
    assert all(2 <= draws.integer(2, 5) < 5 for _ in range(100))
    assert all(-3 <= draws.uniform(-3, -1) < -1 for _ in range(100))
    assert {draws.chance(0.0) for _ in range(50)} == {False}
    assert {draws.chance(1.0) for _ in range(50)} == {True}
    assert len(draws.colour(0, 1)) == 3


@pytest.mark.parametrize("shape", [(3, 7, 5), (64, 64), (1,)])
def test_bell_noise_has_the_shape_asked_for(shape):
    noise = Draws(1).bell(shape)
    assert noise.shape == shape
    assert noise.dtype == np.float32


def test_bell_noise_has_mean_zero_and_deviation_one():
    noise = Draws(2).bell((200, 200)).astype(np.float64)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert abs(noise).max() < 3.6


def test_the_wave_is_a_sine_to_two_thousandths():
    turns = np.linspace(-3, 3, 1001)
    assert np.allclose(wave(turns), np.sin(2 * np.pi * turns), atol=0.002)
    assert math.isclose(wave(0.25), 1.0, abs_tol=1e-12)


KNOWN_DRAWS = (0.7634070769674655, 574, "a")
