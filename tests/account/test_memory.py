"""Theoretical peak memory: graphs worked by hand under both conventions, and published curves."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from account.functional import Functional
from architectures import build as architecture
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import deltadistill as dd
from deltadistill.account.dataflow import watched
from deltadistill.account.memory import count_memory

FLOAT = 4  # bytes
PLANE = 6 * 6 * FLOAT  # bytes of a channel


def conv(inputs, outputs, **options):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False, **options)


def planes(network, channels=3, **options):
    """Held and published of each row, in channels of 6×6."""
    table = count_memory(network, (channels, 6, 6), **options)
    return [
        (row.operator, row.held / PLANE, None if row.published is None else row.published / PLANE)
        for row in table.rows
    ]


def layers(network, channels=3):
    return [row for row in planes(network, channels) if row[0] not in ("relu", "native_batch_norm")]


def test_a_chain_holds_a_layers_input_and_output():
    network = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 5))
    assert planes(network) == [
        ("convolution", 3 + 8, 3 + 8),
        ("native_batch_norm", 8, None),  # over its input
        ("relu", 8, None),
        ("convolution", 8 + 5, 8 + 5),
    ]
    table = count_memory(network, (3, 6, 6))
    assert (table.peak, table.peak_row.name) == (13 * PLANE, "3")
    assert (table.published_peak, table.published_row.name) == (13 * PLANE, "3")
    assert table.inputs == 3 * PLANE
    assert table.weights == (3 * 8 * 9 + 4 * 8 + 8 * 5 * 9) * FLOAT + 8  # and the batches counted, int64
    assert [row.held_beside_inputs / PLANE for row in table.rows] == [8, 8, 8, 13]
    assert table.peak_beside_inputs == 13 * PLANE


def test_an_activation_in_place_changes_nothing():
    chains = [nn.Sequential(conv(3, 8), nn.ReLU(inplace=asked), conv(8, 8)) for asked in (True, False)]
    assert planes(chains[0])[::2] == planes(chains[1])[::2]


def test_the_networks_input_is_written_over_by_nobody():
    assert planes(nn.Sequential(nn.ReLU(), conv(3, 4)))[0] == ("relu", 3 + 3, None)


def test_an_identity_shortcut_is_held_and_published_beside_each_layer_of_its_block():
    block = Functional(
        lambda x, stem, one, two, last: last((y := stem(x)) + two(one(y).relu())),
        stem=conv(3, 4), one=conv(4, 8), two=conv(8, 4), last=conv(4, 1),
    )  # fmt: skip
    assert layers(block) == [
        ("convolution", 3 + 4, 3 + 4),
        ("convolution", 4 + 8, 4 + 8 + 4),  # the shortcut is the layer's input: published counts it twice
        ("convolution", 4 + 8 + 4, 4 + 8 + 4),
        ("add", 4 + 4, None),  # over the branch, which nobody needs any more
        ("convolution", 4 + 1, 4 + 1),
    ]


def test_a_shortcut_with_a_layer_runs_by_itself_and_is_published_beside_the_others():
    block = Functional(
        lambda x, stem, one, two, short: two(one(y := stem(x))) + short(y),
        stem=conv(3, 2), one=conv(2, 4), two=conv(4, 6), short=conv(2, 6),
    )  # fmt: skip
    assert layers(block) == [
        ("convolution", 3 + 2, 3 + 2),
        ("convolution", 2 + 4, 2 + 4 + (2 + 6)),
        ("convolution", 2 + 4 + 6, 4 + 6 + (2 + 6)),
        ("convolution", 2 + 6 + 6, None),  # the branch waits
        ("add", 6 + 6, None),
    ]
    table = count_memory(block, (3, 6, 6))
    assert (table.peak_row.name, table.published_row.name) == ("layers.short", "layers.two")


def test_a_gate_within_a_block_adds_up():
    """Squeeze and excitation of 6 channels in a block of 2: what is held across is the map and the input."""
    block = Functional(
        lambda x, stem, wide, squeeze, narrow: (
            (y := stem(x)) + narrow((z := wide(y)) * squeeze(z.mean((2, 3), keepdim=True)).sigmoid())
        ),
        stem=conv(3, 2), wide=conv(2, 6), squeeze=nn.Conv2d(6, 6, 1, bias=False), narrow=conv(6, 2),
    )  # fmt: skip
    pixel = 1 / 36
    rows = [row for row in layers(block) if row[0] in ("convolution", "mean", "mul")]
    assert rows == [
        ("convolution", 5, 5),
        ("convolution", 2 + 6, 2 + 6 + 2),
        ("mean", pytest.approx(2 + 6 + 6 * pixel), pytest.approx(6 + 6 * pixel + 6 + 2)),
        ("convolution", pytest.approx(2 + 6 + 12 * pixel), pytest.approx(12 * pixel + 6 + 2)),
        ("mul", pytest.approx(2 + 6 + 6 * pixel), None),
        ("convolution", 2 + 6 + 2, 6 + 2 + 2),
    ]


def test_two_paths_of_as_many_layers_have_no_shortcut():
    fork = Functional(lambda x, one, two: one(x) + two(x), one=conv(3, 4), two=conv(3, 4))
    assert planes(fork) == [
        ("convolution", 3 + 4, 3 + 4),
        ("convolution", 3 + 4 + 4, 3 + 4 + 4),  # one's output waits
        ("add", 4 + 4, None),
    ]


def test_parts_of_a_concatenation_are_made_in_its_place():
    cells = Functional(
        lambda x, one, two, last: last(torch.cat([one(x), two(x)], 1)),
        one=conv(3, 4), two=conv(3, 5), last=conv(9, 1),
    )  # fmt: skip
    assert planes(cells) == [
        ("convolution", 3 + 4, 3 + 4),
        ("convolution", 3 + 4 + 5, 3 + 4 + 5),
        ("cat", 9, None),
        ("convolution", 9 + 1, 9 + 1),
    ]


def test_a_part_that_is_needed_again_is_copied():
    dense = Functional(
        lambda x, one, two, last: last(torch.cat([y := one(x), two(y)], 1)) + y,
        one=conv(3, 4), two=conv(4, 5), last=conv(9, 4),
    )  # fmt: skip
    assert planes(dense)[2:] == [
        ("cat", 4 + 9, None),
        ("convolution", 4 + 9 + 4, 9 + 4 + 4),
        ("add", 4 + 4, None),
    ]


def test_a_concatenation_along_rows_interleaves_its_parts_and_needs_both():
    rows = Functional(lambda x, one: torch.cat([one(x), one(x)], 2), one=conv(3, 4))
    assert planes(rows)[2] == ("cat", 4 + 4 + 8, 4 + 4 + 8)


def test_a_skip_connection_is_held_below_it():
    unet = Functional(
        lambda x, one, two, three: three(torch.cat([y := one(x), two(y)], 1)),
        one=conv(3, 4), two=conv(4, 2), three=conv(6, 1),
    )  # fmt: skip
    deeper = Functional(
        lambda x, one, two, mid, three: three(torch.cat([y := one(x), mid(two(y))], 1)),
        one=conv(3, 4), two=conv(4, 2), mid=conv(2, 2), three=conv(6, 1),
    )  # fmt: skip
    assert planes(unet)[1][1:] == (4 + 2, 4 + 2)
    assert planes(deeper)[2][1:] == (4 + 2 + 2, 2 + 2 + 4)


def test_views_cost_nothing_and_a_layer_reads_as_much_as_it_sees():
    halves = Functional(lambda x, stem, one: one(stem(x).chunk(2, 1)[0]), stem=conv(3, 8), one=conv(4, 4))
    assert planes(halves) == [("convolution", 3 + 8, 3 + 8), ("convolution", 8 + 4, 4 + 4)]


def test_positions_of_maxima_are_not_made():
    assert planes(nn.Sequential(conv(3, 4), nn.MaxPool2d(1)))[1] == ("max_pool2d_with_indices", 8, 8)


def test_what_weights_alone_make_is_no_memory_of_a_frame():
    plain = nn.Sequential(conv(3, 4), conv(4, 4))
    normed = nn.Sequential(weight_norm(conv(3, 4)), conv(4, 4))
    assert planes(normed) == planes(plain)


def test_a_buffer_that_is_filled_with_the_frame_counts_from_then_on():
    def padded(x, one):
        around = x.new_zeros(1, 3, 8, 8)
        around[..., 1:-1, 1:-1] = x
        return one(around)

    network = Functional(padded, one=nn.Conv2d(3, 4, 3, bias=False))
    larger = pytest.approx(3 * 64 / 36 + 3), pytest.approx(3 * 64 / 36 + 4)
    assert planes(network) == [("copy_", larger[0], None), ("convolution", larger[1], larger[1])]


def test_what_is_written_by_name_or_in_lists_is_followed():
    def filled(x, one):
        out = torch.empty_like(y := one(x))
        torch.mul(y, 2, out=out)
        torch._foreach_add_([out, y], 1.0)
        return out + y

    network = Functional(filled, one=conv(3, 4))
    assert [row[1] for row in planes(network)] == [3 + 4, 4 + 4, 4 + 4, 4 + 4]


def test_a_network_that_reads_nothing_is_refused():
    with pytest.raises(ValueError, match="makes nothing of its inputs: no operator reads them"):
        count_memory(nn.Flatten(), (3, 6, 6))


def test_an_input_that_is_kept_is_held_to_the_end():
    network = Functional(lambda x, z, one, two: two(one(x)) + z, one=conv(3, 4), two=conv(4, 2))
    inputs = torch.zeros(1, 3, 6, 6), torch.zeros(1, 2, 6, 6)
    free = [row.held / PLANE for row in count_memory(network, inputs).rows]
    kept = [row.held / PLANE for row in count_memory(network, inputs, kept=[1]).rows]
    assert free == kept == [3 + 2 + 4, 2 + 4 + 2, 2 + 2]
    last = Functional(lambda x, z, one, two: two(one(x + z)), one=conv(2, 4), two=conv(4, 2))
    inputs = (inputs[1], inputs[1])
    assert [row.held / PLANE for row in count_memory(last, inputs).rows] == [2 + 2 + 2, 2 + 4, 4 + 2]
    assert [row.held / PLANE for row in count_memory(last, inputs, kept=[1]).rows] == [6, 8, 8]


def test_half_precision_takes_half():
    network = nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 5))
    whole, half = count_memory(network, (3, 6, 6)), count_memory(network.half(), (3, 6, 6))
    assert (half.peak, half.published_peak, half.weights) == (
        whole.peak / 2, whole.published_peak / 2, whole.weights / 2,
    )  # fmt: skip


def test_a_network_whose_shapes_depend_on_values_is_counted_on_a_frame():
    network = Functional(lambda x, one: one(x)[one(x) > 0], one=nn.Conv2d(3, 2, 1))
    nn.init.zeros_(network.layers["one"].bias)
    table = count_memory(network, (3, 6, 6))  # black: nothing is above zero
    assert table.on_values
    assert table.rows[-1].made == 0


def test_a_delta_network_runs_its_teachers_and_is_not_changed():
    teacher = architecture("in place")
    delta = dd.convert(architecture("in place"), dd.LinearStudent(gamma=2))
    before = {name: value.clone() for name, value in delta.state_dict().items()}
    found, expected = count_memory(delta, (3, 16, 16)), count_memory(teacher, (3, 16, 16))
    assert (found.peak, found.published_peak) == (expected.peak, expected.published_peak)
    assert all(torch.equal(value, before[name]) for name, value in delta.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in delta.modules())


def test_shared_weights_count_once():
    layer = nn.Linear(4, 4, bias=False)
    assert count_memory(nn.Sequential(layer, layer), (4,)).weights == 16 * FLOAT


def test_a_shape_with_a_batch_axis_is_refused():
    with pytest.raises(ValueError, match="without a batch axis"):
        count_memory(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 2)), (1, 3, 6, 6))


# Of ReDistill's figure of memory over layers (imgs/peak_mem_footprint.py of its code): MiB, 224², fp32; stem,
# pooling, and the first block of each stage. For a stage's further blocks the figure takes the stage's input
# for the shortcut, not the block's; no peak lies there.
RESNET18 = [3.63671875, 3.828125, 2.296875, 2.296875, 1.1484375, 0.57421875]
RESNET50 = [3.63671875, 3.828125, 7.65625, 9.1875, 4.59375, 2.296875]


@pytest.mark.parametrize(("name", "published"), [("resnet18", RESNET18), ("resnet50", RESNET50)])
def test_the_published_curves_come_out(name, published):
    with torch.device("meta"):
        network = torchvision.models.get_model(name, weights=None)
    table, largest = count_memory(network, (3, 224, 224)), {}
    for row in table.rows:
        place = ".".join(row.name.split(".")[:2])
        largest[place] = max(largest.get(place, 0), row.published or 0)
    places = ["conv1", "maxpool", *(f"layer{stage}.0" for stage in (1, 2, 3, 4))]
    assert [largest[place] / 2**20 for place in places] == published
    assert table.published_peak / 2**20 == max(published)


def test_attention_is_the_products_that_it_is_made_of():
    attention = Functional(lambda q: F.scaled_dot_product_attention(q, q, q))
    table = count_memory(attention, (torch.zeros(1, 1, 6, 6),))
    scores = next(row for row in table.rows if row.operator == "bmm")
    assert scores.held == table.peak == 4 * PLANE  # the input, scaled twice, and the scores


def test_what_the_network_returns_is_there_for_run():
    network = Functional(lambda x, one: {"out": one(x)}, one=conv(3, 4))
    table = count_memory(network, (3, 6, 6), run=lambda network, frame: network(frame)["out"].relu())
    assert [row.held / PLANE for row in table.rows] == [7, 4 + 4]  # held to the end


class SumOfItsWeights(nn.Module):
    """Adds to a frame what weights alone make, a hundred tensors of which only one is there at a time."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 3, 8, 8))

    def forward(self, x):
        for factor in range(100):
            x = x + self.weight * factor
        return x


def test_what_weights_alone_make_counts_each_time_wherever_it_lies():
    network, frame = SumOfItsWeights(), torch.rand(1, 3, 8, 8)
    with torch.no_grad(), watched(network, frame) as flow:
        network(frame)
    assert list(flow.constants.values()) == 101 * [3 * 8 * 8 * FLOAT]  # the weight and its products
