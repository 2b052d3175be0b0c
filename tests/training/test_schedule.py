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


def test_step_falls_to_a_tenth_at_every_drop():
    """Seven epochs of ten steps, down after the second and the fifth."""
    at = {step: multiplier("step", step, 70, drops=[0.2857, 0.7143]) for step in (0, 19, 20, 49, 50, 69)}
    assert at == pytest.approx({0: 1, 19: 1, 20: 0.1, 49: 0.1, 50: 0.01, 69: 0.01})


def test_constant_stays():
    assert multiplier("constant", 7, 10) == 1.0


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="one_cycle"):
        multiplier("cosine", 0, 1)
