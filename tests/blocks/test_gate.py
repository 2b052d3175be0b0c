"""The binary Gumbel gate against numbers worked by hand."""

import math

import pytest
import torch

from deltadistill.blocks.gate import Gate
from deltadistill.blocks.straight_through import drawn_output


def test_the_probability_is_the_logistic_function_of_the_logit():
    assert Gate(initial_logit=0.0).uncompressed_probability.item() == pytest.approx(0.5)
    assert Gate(initial_logit=-1.0).uncompressed_probability.item() == pytest.approx(1 / (1 + math.e))


def test_a_gate_begins_even_at_the_temperature_of_the_paper():
    assert (Gate().logit.item(), Gate().temperature) == (0.0, 2 / 3)
    for temperature in (0, -1):
        with pytest.raises(ValueError, match=f"temperature {temperature} must be above 0"):
            Gate(temperature=temperature)


def test_a_sample_is_hard_and_carries_the_relaxed_gradient():
    gate = Gate(initial_logit=0.3, temperature=0.5)
    sample = gate.sample(0.6)
    # noise = ln(0.6 / 0.4) = 0.405465; relaxed s = σ((0.3 + 0.405465) / 0.5) = 0.803888;
    # ds/dlogit = s (1 − s) / 0.5
    assert sample.item() == 1.0
    sample.backward()
    assert gate.logit.grad.item() == pytest.approx(0.803888 * 0.196112 / 0.5, rel=1e-4)


def test_samples_follow_the_probability():
    gate = Gate(initial_logit=1.0)
    draws = [gate.sample((i + 0.5) / 1000).item() for i in range(1000)]
    assert sum(draws) / 1000 == pytest.approx(torch.sigmoid(torch.tensor(1.0)).item(), abs=2e-3)


@pytest.mark.parametrize("uniform", [0.0, 1.0, -0.1])
def test_a_draw_outside_the_open_interval_is_refused(uniform):
    with pytest.raises(ValueError, match="strictly between"):
        Gate().sample(uniform)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="temperature"):
        Gate(temperature=0)


def outputs_of_candidates():
    """Two candidates' outputs with parameters of their own, and what they are called with."""
    values = {"uncompressed": 3.0, "compressed": 5.0}
    scales = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    return scales, lambda candidate: scales[candidate] * torch.tensor([1.0, 2.0])


@pytest.mark.parametrize(("drawn", "value"), [("uncompressed", [3.0, 6.0]), ("compressed", [5.0, 10.0])])
def test_a_sample_gets_the_exact_gradient_and_the_drawn_candidate_its_own(drawn, value):
    scales, run = outputs_of_candidates()
    sample = torch.tensor(1.0 if drawn == "uncompressed" else 0.0, requires_grad=True)
    output = drawn_output(run, sample)
    assert output.tolist() == value
    (output * torch.tensor([1.0, 10.0])).sum().backward()
    # ⟨(1, 10), (3, 6) − (5, 10)⟩ = −2 − 40
    assert sample.grad.item() == pytest.approx(-42)
    other = {"uncompressed": "compressed", "compressed": "uncompressed"}[drawn]
    assert scales[drawn].grad.item() == pytest.approx(21)
    assert scales[other].grad is None


def test_the_candidate_that_was_not_drawn_does_not_run_where_the_gate_rests():
    calls = []
    drawn_output(lambda candidate: calls.append(candidate) or torch.zeros(1), torch.tensor(1.0))
    assert calls == ["uncompressed"]
