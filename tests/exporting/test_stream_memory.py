"""The memory of a stream, worked by hand: maps, key and delta frame of one converted layer."""

import pytest
import torch
from architectures import build as architecture
from torch import nn

import deltadistill as dd
from deltadistill.account.memory import count_memory, weight_bytes
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.stream_memory import memory_of, stream_memory

FLOAT = 4
PLANE = 6 * 6 * FLOAT
FRAME = torch.rand(1, 3, 6, 6)


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def network():
    """8 channels; the middle layer's student has 4 between its two factors."""
    torch.manual_seed(0)
    plain = nn.Sequential(conv(3, 8), conv(8, 8), conv(8, 4)).eval()
    delta = dd.convert(plain, dd.LinearStudent(gamma=2, initialisation="random"), dd.inner_layers)
    (block,) = delta_blocks(delta).values()
    block.decide("compressed")
    return delta


def held(table):
    return [(row.name, row.operator, row.held / PLANE) for row in table.rows]


def test_a_stream_of_one_converted_layer_by_hand():
    found = stream_memory(network(), FRAME)
    assert found.maps == 8 * PLANE  # one map for the layer: c_0
    assert held(found.delta) == [
        ("0", "convolution", 8 + 3 + 8),  # the map is held throughout
        ("1.compressed.0", "convolution", 8 + 8 + 4),
        ("1.compressed.1", "convolution", 8 + 4 + 8),
        ("1", "add", 8 + 8),  # over the student's output
        ("2", "convolution", 8 + 8 + 4),
    ]
    assert found.delta.peak == 20 * PLANE
    assert [row.held / PLANE for row in found.key.rows][-1] == 8 + 8 + 4  # the map that it made, for later
    assert found.key.peak >= found.frame.peak == count_memory(network(), (3, 6, 6)).peak
    first, middle, last, student = 3 * 8 * 9, 8 * 8 * 9, 8 * 4 * 9, 8 * 4 * 3 + 4 * 8 * 3
    assert found.weights == (first + middle + last + student) * FLOAT
    assert found.peak == max(found.key.peak, found.delta.peak)
    assert found.total == found.weights + found.peak


def test_a_plain_network_keeps_nothing_and_all_frames_are_alike():
    plain = nn.Sequential(conv(3, 8), conv(8, 4)).eval()
    found = stream_memory(plain, FRAME)
    assert found.maps == 0
    assert found.frame.rows == found.key.rows == found.delta.rows
    assert found.weights == weight_bytes(plain)


@pytest.mark.parametrize("choice", ["compressed", "uncompressed"])
def test_a_delta_frame_holds_the_maps_and_what_it_makes(choice):
    delta = dd.convert(architecture("in place"), dd.LinearStudent(gamma=2))
    for block in delta_blocks(delta).values():
        block.decide(choice)
    before = {name: value.clone() for name, value in delta.state_dict().items()}
    found = stream_memory(delta, torch.rand(1, 3, 16, 16))
    assert all(row.held >= found.maps for row in found.delta.rows)
    assert (found.maps > 0) == (choice == "compressed")
    assert all(torch.equal(value, before[name]) for name, value in delta.state_dict().items())


@pytest.mark.parametrize("choice", ["compressed", "uncompressed"])
def test_no_values_are_computed_where_shapes_tell(choice):
    """But for what an uncompressed student's weights tell: whether they are its teacher's still."""
    seen = []
    delta = network()
    (block,) = delta_blocks(delta).values()
    block.decide(choice)
    delta[0].register_forward_hook(lambda module, given, output: seen.append(output.is_meta))
    found = stream_memory(delta, FRAME)
    assert all(seen) == (choice == "compressed")
    on_values = memory_of(delta_functions(delta, FRAME), FRAME)
    for name in ("frame", "key", "delta"):
        assert held(getattr(found, name)) == held(getattr(on_values, name))
    assert (found.weights, found.maps, found.peak) == (on_values.weights, on_values.maps, on_values.peak)
    assert found.delta.on_values == (choice == "uncompressed")


def test_the_gate_s_own_preference_is_what_is_counted():
    delta = network()
    (block,) = delta_blocks(delta).values()
    block.undecide()
    block.gate.logit.data.fill_(-1.0)
    assert stream_memory(delta, FRAME).maps == 8 * PLANE


class LookingAtValues(nn.Module):
    def forward(self, x):
        return x * 2 if x.max() > 0 else x


def test_a_network_that_looks_at_values_is_counted_on_them():
    found = stream_memory(nn.Sequential(conv(3, 8), LookingAtValues()).eval(), FRAME)
    assert found.frame.on_values
