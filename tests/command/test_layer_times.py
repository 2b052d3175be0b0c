"""Times of layers within some seconds, on a clock that goes on as the layers say."""

import pytest
import torch
from torch import nn

from deltadistill.command.layer_times import layer_times

NOW = {"seconds": 0.0}


class Taking(nn.Module):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def forward(self, x):
        NOW["seconds"] += self.seconds
        return x


def timed(*seconds, **options):
    network = nn.Sequential(*map(Taking, seconds))
    clock = {"device": torch.device("cpu"), "now": lambda: NOW["seconds"]}
    return layer_times(network, lambda: network(torch.zeros(1)), **clock, **options)


def test_rounds_begin_until_a_second_has_passed_and_the_first_is_left_out():
    found = timed(0.125, 0.175)  # rounds begin at 0, 0.3, 0.6 and 0.9 s
    assert found.rounds == 3
    assert found.frame == pytest.approx(300)
    assert found.layers == pytest.approx({"0": 125, "1": 175})


def test_a_frame_that_takes_longer_than_all_the_seconds_is_timed_once():
    found = timed(4.0, 1.0)
    assert found.rounds == 1
    assert found.layers == pytest.approx({"0": 4000, "1": 1000})


def test_a_quick_network_is_timed_in_nineteen_rounds_and_no_more():
    assert timed(0.001).rounds == 19


def test_who_looks_at_the_first_round_does_so_outside_of_its_time():
    def looking(call):
        NOW["seconds"] += 1.0
        call()
        NOW["seconds"] += 1.0

    assert timed(4.0, around_first=looking).frame == pytest.approx(4000)
