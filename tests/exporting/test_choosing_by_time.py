"""Candidates by milliseconds: what costs less of each block, as long as the whole agrees."""

import logging

import pytest
import torch
from scripted_engines import EXAMPLE, small_network
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.state_budget import leave_out

pytestmark = pytest.mark.usefixtures("clock")


def measured(network, engine="PROFILING", **settings):
    settings = {"threads": 1, "length": 3, **settings}
    return dd.measure_layers(network, EXAMPLE, engine=f"scripted_engines:{engine}", **settings)


def choices(network) -> dict[str, str]:
    return {name: block.choice for name, block in delta_blocks(network).items()}


def test_each_block_takes_what_costs_less_by_hand():
    network = small_network()
    times = measured(network)
    choice = dd.choose_by_time(network, times, progress=False)
    # 35 + 35/2 against 36; 53 + 53/2 against 144; 11 + 11/2 against 8
    assert choices(network) == {"0": "uncompressed", "2": "compressed", "4": "uncompressed"}
    assert choice.compressed == ("2",)
    # key: 36 + 144 + 53 + 8 and two rectifiers; delta: 36 + 53 + 8 and those
    assert (choice.times.frame, choice.times.key, choice.times.delta) == pytest.approx((0.190, 0.243, 0.099))
    assert choice.speedup == pytest.approx(190 / ((243 + 2 * 99) / 3))
    assert "1 blocks compressed: frame 0.19, key 0.24, delta 0.10 ms; ×1.29 at T = 3" in str(choice)
    dd.choose_by_time(network, times, length=100, progress=False)  # 35 + 35/99 against 36
    assert choices(network) == {"0": "compressed", "2": "compressed", "4": "uncompressed"}


def test_a_block_left_to_its_teacher_keeps_no_map():
    network = small_network()
    dd.choose_by_time(network, measured(network), check=False)
    assert list(delta_functions(network, EXAMPLE).maps) == ["2.c_0"]


def test_the_map_of_an_uncompressed_candidate_that_was_trained_counts():
    network = small_network()
    nn.init.normal_(delta_blocks(network)["4"].uncompressed.weight)
    choice = dd.choose_by_time(network, measured(network), check=False)
    # 11 + 11/2 against 8 + 5 and half of 8 + 5
    assert choice.compressed == ("2", "4")


def test_blocks_are_given_back_while_the_whole_gets_faster(caplog):
    network = small_network()
    times = measured(network, "DEAR_MAPS", length=100)  # a map costs 200 microseconds that no layer shows
    with caplog.at_level(logging.WARNING):
        choice = dd.choose_by_time(network, times, progress=False)
    assert choice.compressed == ()
    assert choice.given_back == ("0", "2")
    assert choice.speedup == pytest.approx(1)
    assert "save no time" in caplog.text


def test_what_makes_the_whole_slower_is_not_given_back():
    network = small_network()
    choice = dd.choose_by_time(network, measured(network, length=100), progress=False)
    assert choice.given_back == ()
    assert choice.compressed == ("0", "2")


def test_no_block_is_given_back_when_the_time_is_over():
    network = small_network()
    choice = dd.choose_by_time(network, measured(network, "DEAR_MAPS"), seconds=0, progress=False)
    assert choice.compressed == ("2",)
    assert choice.times.delta == pytest.approx(0.099 + 0.2)


def test_blocks_that_gain_least_for_their_memory_are_left_out():
    network = small_network()
    times = measured(
        network, length=100
    )  # 0.001 - 0.035/99 ms for 1024 bytes, and 0.091 - 0.053/99 for as many
    choice = dd.choose_by_time(network, times, state_mb=1100e-6, check=False)
    assert (choice.compressed, choice.left_out) == (("2",), ("0",))
    assert choice.state_bytes == 4 * 4 * 8 * 8
    assert choice.for_memory == pytest.approx((0.001 - 0.035 / 99) * 99 / 100)
    assert "1 left out for their memory (0.00 ms a frame); 0.0 MB a stream" in str(choice)
    checked = dd.choose_by_time(network, times, state_mb=1100e-6, progress=False)
    assert (checked.compressed, checked.left_out, checked.state_bytes) == (("2",), ("0",), 1024)
    assert dd.choose_by_time(network, times, state_mb=2.048e-3, check=False).left_out == ()
    assert dd.choose_by_time(network, times, state_mb=0, check=False).compressed == ()


class Summed(nn.Module):
    """Two layers that are only ever summed: their maps are one."""

    def __init__(self):
        super().__init__()
        self.one, self.other = (nn.Conv2d(1, 4, 3, padding=1) for _ in range(2))
        self.last = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.last(torch.relu(self.one(x) + self.other(x)))


def test_memory_is_that_of_joined_maps():
    network = dd.convert(
        Summed().eval(), dd.LinearStudent(gamma=2, keep_dearer=True), where=dd.all_convolutions
    )
    times = measured(network, length=100)
    choice = dd.choose_by_time(network, times, state_mb=2.048e-3, check=False)
    assert (choice.left_out, choice.state_bytes) == ((), 2048)  # three maps, two of them one
    choice = dd.choose_by_time(network, times, state_mb=1.1e-3, check=False)
    assert (choice.compressed, choice.state_bytes) == (("last",), 1024)  # the sum is one map: neither
    assert choice.left_out == ("one", "other")


def test_of_all_choices_that_fit_the_one_that_gains_most_stays():
    network = dd.convert(
        Summed().eval(), dd.LinearStudent(gamma=2, keep_dearer=True), where=dd.all_convolutions
    )
    times = measured(network, length=100)
    gains = {"one": 0.4, "other": 0.4, "last": 0.5}  # the two of one map gain more together
    for name in gains:
        delta_blocks(network)[name].decide("compressed")
    assert leave_out(network, times, gains, most_bytes=1100) == (["last"], 1024)
    assert {name: block.choice for name, block in delta_blocks(network).items()} == {
        "one": "compressed",
        "other": "compressed",
        "last": "uncompressed",
    }


def test_a_memory_that_no_choice_reaches_is_refused():
    network = small_network()
    for block in delta_blocks(network).values():
        nn.init.normal_(block.uncompressed.weight)
    with pytest.raises(ValueError, match=r"maps take 0.0 MB where 0.0015 MB are given, with every block"):
        dd.choose_by_time(network, measured(network, length=100), state_mb=1.5e-3, check=False)


def test_times_of_other_blocks_are_refused():
    times = measured(small_network())
    other = dd.convert(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)).eval(),
        dd.LinearStudent(keep_dearer=True),
        where=dd.all_convolutions,
    )
    with pytest.raises(ValueError, match=r"without times \['1'\], not in the network \['2', '4'\]"):
        dd.choose_by_time(other, times)
