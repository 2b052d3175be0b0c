"""Learning rates over the steps against numbers worked by hand."""

import math

import pytest

from deltadistill.training.schedule import multiplier


def test_one_cycle_rises_over_three_tenths_and_falls_to_almost_nothing():
    assert multiplier("one_cycle", 0, 100) == pytest.approx(0.04)
    assert multiplier("one_cycle", 15, 100) == pytest.approx(0.52)  # half-way up: (0.04 + 1) / 2
    assert multiplier("one_cycle", 30, 100) == pytest.approx(1.0)
    assert multiplier("one_cycle", 65, 100) == pytest.approx((1 + 1e-4) / 2)


def test_poly_is_a_power_of_what_is_left():
    assert multiplier("poly", 0, 10, power=0.9) == 1.0
    assert multiplier("poly", 5, 10, power=0.9) == pytest.approx(math.exp(0.9 * math.log(0.5)))


def test_constant_stays():
    assert multiplier("constant", 7, 10) == 1.0


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="one_cycle"):
        multiplier("cosine", 0, 1)
