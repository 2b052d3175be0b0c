"""The MAC account: operators worked by hand, published totals, candidates, nothing changed."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
import torchvision
from account.functional import Functional
from torch import nn

import deltadistill as dd
from deltadistill.account.macs import count_macs
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.models.faster_rcnn import FixedShapes

CITYSCAPES = (3, 1024, 2048)


def only_row(network, inputs, **options):
    (row,) = count_macs(network, inputs, **options).rows
    return row


def all_compressed(network, *, gamma=4, rank="out", **options):
    """Convolutions converted as in the published costs, each by its compressed student."""
    students = dd.LinearStudent(gamma=gamma, rank=rank, initialisation="random", keep_dearer=True, **options)
    network = dd.convert(network, students, dd.models.published_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


def published(name, classes=19):
    with torch.device("meta"):
        return dd.models.build(name, classes=classes)


def compressed_layers(table):
    return sum(row.chosen == "compressed" for row in table.rows)


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), (3, 10, 12), 8 * 5 * 6 * 3 * 9),
        (nn.Conv2d(8, 8, (3, 1), groups=4), (8, 6, 5), 8 * 4 * 5 * 2 * 3),
        (
            nn.Conv2d(6, 9, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 3), groups=3),
            (6, 7, 10),
            (9 * 4 * 11) * (2 * 3 * 2),
        ),
        (nn.ConvTranspose2d(6, 4, (2, 3), stride=(2, 1), groups=2), (6, 5, 7), (6 * 5 * 7) * (2 * 2 * 3)),
        (nn.Conv2d(4, 4, 3, dilation=2), (4, 9, 9), 4 * 5 * 5 * 4 * 9),
        (nn.ConvTranspose2d(6, 4, 2, stride=2), (6, 5, 5), 6 * 5 * 5 * 4 * 4),
        (nn.Linear(7, 5), (3, 7), 3 * 7 * 5),
        (nn.Conv1d(2, 3, 3), (2, 8), 3 * 6 * 2 * 3),
    ],
)
def test_layers_worked_by_hand(layer, shape, macs):
    assert only_row(layer, shape).teacher_macs == macs


def test_matrix_products_without_a_module_are_counted_under_the_module_that_makes_them():
    product = nn.Sequential(Functional(lambda x: torch.einsum("nij,nkj->nik", x, x)))
    row = only_row(product, (4, 6))
    assert (row.name, row.operator, row.teacher_macs) == ("0", "bmm", 4 * 4 * 6)
    attention = Functional(lambda q, k, v: F.scaled_dot_product_attention(q, k, v))
    query, key = torch.zeros(1, 2, 5, 8), torch.zeros(1, 2, 7, 8)
    assert count_macs(attention, (query, key, key)).key == 2 * 5 * 7 * (8 + 8)


def test_a_transformer_layer_is_not_hidden_by_its_fused_operator():
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    projections = 5 * 8 * (3 * 8 + 8 + 2 * 16)
    assert count_macs(layer, (5, 8)).key == projections + 2 * (5 * 5 * 8)


def test_the_published_convention_adds_bias_batch_norm_and_relu():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1, bias=True), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1, bias=False)
    )
    pixels = 5 * 6
    assert count_macs(network, (3, 5, 6)).key == pixels * (3 * 4 + 4 * 2)
    table = count_macs(network, (3, 5, 6), convention="published")
    assert table.key == pixels * (3 * 4 + 4 + 2 * 4 + 4 + 4 * 2)
    assert [row.name for row in table.rows] == ["0", "1", "2", "3"]
    assert table.uncounted == ()


def test_what_is_not_counted_is_listed():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.SiLU()
    )
    uncounted = {row.operator: row for row in count_macs(network, (3, 5, 6)).uncounted}
    assert set(uncounted) == {"relu", "upsample_bilinear2d", "silu"}
    assert (uncounted["silu"].calls, uncounted["silu"].elements) == (1, 4 * 10 * 12)
    assert {row.frames for row in uncounted.values()} == {"every"}


@pytest.mark.parametrize(
    ("function", "operators"),
    [
        (lambda x: x.argmax(1), {"argmax"}),
        (lambda x: x > 0, {"gt"}),
        (lambda x: x.flatten().argmax(), {"argmax"}),
        (lambda x: torch.fft.irfft2(torch.fft.rfft2(x)), {"_fft_r2c", "_fft_c2r"}),
        (lambda x: torch.arange(4), set()),  # a few indices are no work
    ],
)
def test_what_makes_whole_numbers_flags_or_complex_numbers_is_listed_too(function, operators):
    table = count_macs(Functional(function), (3, 8, 10))
    assert operators == {row.operator for row in table.uncounted}
    assert not table.rows


def test_a_complex_product_counts_four_times():
    product = Functional(lambda x: torch.complex(x, x) @ torch.complex(x, x).transpose(1, 2))
    assert count_macs(product, (4, 6)).key == 4 * (4 * 4 * 6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_of_another_floating_type_costs_the_same(dtype):
    network = dd.models.build("ddrnet23_slim", classes=3, width=4)
    expected = count_macs(network, (3, 64, 64)).key
    assert count_macs(network.to(dtype), (3, 64, 64)).key == expected


def test_a_layer_that_runs_twice_is_one_row_with_both_calls():
    layer = nn.Conv2d(3, 3, 1)
    row = only_row(nn.Sequential(layer, nn.MaxPool2d(2), layer), (3, 4, 4))
    assert (row.name, row.calls, row.teacher_macs) == ("0", 2, 9 * (16 + 4))
    assert row.input_shape == (1, 3, 4, 4)


@pytest.mark.parametrize(
    ("name", "key", "key_published"),
    [
        ("ddrnet23_slim", 36.283e9, 36.59e9),
        ("ddrnet23", 143.064e9, 143.67e9),
        ("ddrnet39", 281.119e9, 282.04e9),
    ],
)
def test_published_totals_of_the_ddrnets(name, key, key_published):
    network = published(name)
    table = count_macs(network, CITYSCAPES)
    assert table.key == table.delta == pytest.approx(key, rel=0.001)
    assert count_macs(network, CITYSCAPES, convention="published").key == pytest.approx(
        key_published, rel=0.002
    )


@pytest.mark.parametrize(
    ("name", "amortised", "converted"),
    [("ddrnet23_slim", 17.287e9, 53), ("ddrnet23", 67.664e9, 53), ("ddrnet39", 129.641e9, 81)],
)
def test_published_costs_of_the_compressed_ddrnets(name, amortised, converted):
    network = published(name)
    table = count_macs(all_compressed(network, pointwise_stride="split"), CITYSCAPES)
    assert compressed_layers(table) == converted
    assert table.amortised(3) == pytest.approx(amortised, rel=0.001)
    assert table.key == count_macs(network, CITYSCAPES).key
    strided_first = count_macs(all_compressed(network), CITYSCAPES).amortised(3)
    assert 0.995 * table.amortised(3) < strided_first < table.amortised(3)


def test_published_totals_of_hrnet():
    network = published("hrnet_w18_small")
    table = count_macs(network, CITYSCAPES)
    assert table.key == pytest.approx(76.857e9, rel=0.001)
    assert sum(row.operator == "convolution" for row in table.rows) == 146
    assert count_macs(network, CITYSCAPES, convention="published").key == pytest.approx(77.89e9, rel=0.002)
    compressed = count_macs(all_compressed(network, gamma=8, pointwise_stride="split"), CITYSCAPES)
    assert compressed_layers(compressed) == 144
    assert compressed.amortised(3) == pytest.approx(34.502e9, rel=0.001)


def test_published_totals_of_efficientdet():
    network, frame = published("efficientdet_d0", classes=30), (3, 512, 512)
    table = count_macs(network, frame)
    assert table.key == pytest.approx(2.3038e9, rel=0.001)
    assert sum(row.operator == "convolution" for row in table.rows) == 150
    compressed = count_macs(all_compressed(network, gamma=16, rank="min", pointwise_stride="split"), frame)
    assert compressed_layers(compressed) == 68
    assert compressed.amortised(10) == pytest.approx(0.6278e9, rel=0.001)


def test_published_totals_of_faster_rcnn():
    """The published count is of 584×966 frames without padding, and of 300 proposals on key frames."""
    network, frame = published("faster_rcnn_r101", classes=30), (3, 584, 966)
    assert count_macs(FixedShapes(network), frame, convention="published").key == pytest.approx(
        149.1e9, rel=0.001
    )
    network = all_compressed(network, gamma=16, rank="min", pointwise_stride="split")
    table = count_macs(FixedShapes(network), frame)
    assert compressed_layers(table) == 105
    # Delta frames run the fully connected layers in full, on as many proposals as there are.
    heads = 512 * 49 * 1024 + 1024 * 1024 + 1024 * 31 * 5
    assert sum(row.delta_macs for row in table.rows if row.name.startswith("roi_heads")) == 300 * heads
    assert table.amortised(10) == pytest.approx(30.413e9, rel=0.001)
    # The published 28.81 G is 5 % less. It fits 240 proposals: its count lets non-maximum suppression decide
    # how many of the 300 are left, on a black frame.
    fewer = count_macs(FixedShapes(network, proposals=240), frame)
    assert fewer.amortised(10) == pytest.approx(28.81e9, rel=0.001)


@pytest.mark.parametrize("name", ["fasterrcnn_mobilenet_v3_large_320_fpn", "ssdlite320_mobilenet_v3_large"])
def test_a_detector_whose_shapes_depend_on_values_is_counted_on_them(name):
    torch.manual_seed(0)
    detector = torchvision.models.get_model(name, weights=None, weights_backbone=None, num_classes=3)
    table = count_macs(detector, (3, 96, 128))
    assert table.on_values
    assert not count_macs(detector.backbone, (3, 96, 128)).on_values
    rows = {row.name: row for row in table.rows}
    assert {name.split(".")[0] for name in rows} >= {"backbone"}
    assert table.key > 0
    assert detector.training
    frame = torch.rand(3, 96, 128)
    assert count_macs(detector, ([frame],)).on_values


def test_candidates_of_a_network_that_needs_values_are_counted_too():
    class OnlyWhatIsPositive(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 1))
            self.head = nn.Linear(1, 4, bias=False)

        def forward(self, x):
            self.features(x)
            return self.head(x[x > 0][:, None])

    network = dd.convert(OnlyWhatIsPositive(), dd.LinearStudent(gamma=2), dd.inner_convolutions)
    frame = torch.zeros(1, 3, 8, 8)
    frame[0, 0, 0, :5] = 1
    table = count_macs(network, (frame,))
    rows = {row.name: row for row in table.rows}
    assert rows["head"].teacher_macs == 5 * 4
    # 3×3, 8→8, on 6×6 to 4×4; γ = 2 leaves 4 channels: 4×6 rows, then 4×4
    assert rows["features.1"].teacher_macs == 9 * 8 * 8 * 16
    assert rows["features.1"].compressed_macs == 3 * 8 * 4 * 24 + 3 * 4 * 8 * 16


def test_a_detector_without_weights_whose_shapes_depend_on_values_is_refused():
    with torch.device("meta"):
        detector = torchvision.models.get_model(
            "fasterrcnn_mobilenet_v3_large_320_fpn", weights=None, weights_backbone=None, num_classes=3
        )
    with pytest.raises(ValueError, match="shapes do not depend on values"):
        count_macs(detector, (3, 64, 64))


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "swin_t", "vit_b_16"])
def test_totals_agree_with_those_that_torchvision_publishes(name):
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    macs = torchvision.models.get_model_weights(name).DEFAULT.meta["_ops"]
    assert count_macs(network, (3, 224, 224)).key == pytest.approx(macs * 1e9, rel=0.01)


def test_candidates_of_a_block_worked_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 2, 1))
    network = dd.convert(network, dd.LinearStudent(gamma=4, rank="out"))
    table = count_macs(network, (3, 4, 4))
    first, block, last = table.rows
    pixels, rank = 16, 2
    assert block.name == "1"
    assert block.uncompressed_macs == block.teacher_macs == pixels * 8 * 8 * 9
    assert block.compressed_macs == pixels * (8 * rank * 3 + rank * 8 * 3)
    assert (first.chosen, first.compressed_macs, last.chosen) == (None, None, None)
    delta_blocks(network)["1"].decide("compressed")
    table = count_macs(network, (3, 4, 4))
    assert table.delta == table.key - block.teacher_macs + block.compressed_macs
    assert table.amortised(1) == table.key
    assert table.amortised(4) == (table.key + 3 * table.delta) / 4


def test_the_gate_or_the_decision_chooses_the_candidate_of_a_delta_frame():
    network = dd.convert(nn.Sequential(*(nn.Conv2d(8, 8, 3) for _ in range(3))), dd.LinearStudent())
    (block,) = delta_blocks(network).values()
    for logit, chosen in ((1.0, "uncompressed"), (-1.0, "compressed")):
        block.gate.logit.data.fill_(logit)
        assert [row.chosen for row in count_macs(network, (8, 9, 9)).rows] == [None, chosen, None]
    before = count_macs(network, (8, 9, 9))
    after = count_macs(dd.deploy(network), (8, 9, 9))
    assert (after.key, after.delta) == (before.key, before.delta)
    assert after.rows[1].uncompressed_macs is None


def test_feature_distillation_costs_what_delta_distillation_does():
    network = nn.Sequential(*(nn.Conv2d(8, 8, 3) for _ in range(3)))
    delta, feature = (
        count_macs(dd.convert(network, dd.LinearStudent(), predicts=predicts), (8, 9, 9))
        for predicts in ("delta", "feature")
    )
    assert delta.rows == feature.rows


def test_taking_and_adding_the_delta_are_listed_for_delta_frames():
    network = dd.convert(
        nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))), dd.LinearStudent()
    )
    listed = {(row.operator, row.frames): row.elements for row in count_macs(network, (8, 4, 4)).uncounted}
    kept = {("clone", "key"): 2 * 8 * 16}  # the state: input and output of the key frame
    assert listed == kept | {("sub", "delta"): 8 * 16, ("add", "delta"): 8 * 16}


def test_counting_changes_neither_weights_nor_mode_nor_a_running_stream():
    network = dd.convert(dd.models.build("ddrnet23_slim", classes=3, width=4), dd.LinearStudent()).train()
    before = copy.deepcopy(network.state_dict())
    count_macs(network, (3, 64, 64))
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    stream = dd.Stream(network.eval(), period=4)
    with torch.no_grad():
        stream(torch.zeros(1, 3, 64, 64))
        state_bytes = stream.state_bytes
        table = count_macs(network, (3, 64, 64))
        stream(torch.zeros(1, 3, 64, 64))
    assert stream.state_bytes == state_bytes
    assert table.key == count_macs(network, (3, 64, 64)).key


def test_a_single_block_as_the_whole_network_is_counted():
    network = dd.convert(nn.Conv2d(8, 8, 3), dd.LinearStudent(), dd.all_convolutions)
    row = only_row(network, (8, 9, 9))
    assert (row.name, row.teacher_macs, row.compressed_macs) == ("", 8 * 8 * 9 * 49, 2 * 8 * 3 * 7 * (9 + 7))


def test_wrong_questions_are_refused():
    with pytest.raises(ValueError, match="unknown convention 'flops'; known: convolution, published"):
        count_macs(nn.Conv2d(3, 3, 1), (3, 4, 4), convention="flops")
    with pytest.raises(ValueError, match="sequence length must be at least 1"):
        count_macs(nn.Conv2d(3, 3, 1), (3, 4, 4)).amortised(0)


def test_a_nonlinear_students_macs_by_hand():
    """A 3×3 convolution of 8 channels on 4×4 pixels, mirrored with 2 channels."""
    network = dd.convert(
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False)),
        dd.ChannelStudent(gamma=4),
        dd.all_convolutions,
    )
    (block,) = network
    block.decide("compressed")
    table = count_macs(network, (8, 4, 4))
    pointwise, mirror, out = 8 * 2 * 16, 2 * 2 * 9 * 16, 2 * 8 * 16
    assert table.teacher == 8 * 8 * 9 * 16
    assert table.delta == pointwise + mirror + out
    assert table.key - table.teacher == 3 * pointwise + mirror + out  # W_k, W_r for the key part; W_r at rest


def test_a_table_shows_its_totals_and_survives_pickling():
    table = count_macs(nn.Conv2d(3, 8, 3, padding=1), (3, 10, 10))
    assert repr(table) == (
        "MacTable(1 layers; MACs per frame: teacher 21,600, key 21,600, delta 21,600; "
        "convention 'convolution'; 0 kinds of operator uncounted)"
    )
    assert pickle.loads(pickle.dumps(table)) == table


def test_a_shape_with_a_batch_axis_is_refused_with_the_one_that_is_meant():
    with pytest.raises(ValueError, match=r"without a batch axis, such as \(3, 10, 10\)"):
        count_macs(nn.Conv2d(3, 8, 3), (1, 3, 10, 10))


def test_a_network_with_more_inputs_is_counted_as_run_says():
    """A convolution of two maps of 3×5, one of them made by run: 2 · 4 · 9 MACs per position."""
    network = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1))
    table = count_macs(network, (1, 3, 5), run=lambda n, frames: n(torch.cat([frames, frames + 1], 1)))
    assert table.teacher == 3 * 5 * 2 * 4 * 9
    assert [row.name for row in table.rows] == ["0"]


class _HasFixedShapes(nn.Module):
    """Costs 6 MACs a pixel as it is, and 30 where its shapes are fixed."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 1)

    def forward(self, frames):
        return self.layer(frames)

    def fixed_shapes(self):
        return nn.Conv2d(3, 10, 1)


def test_who_runs_the_network_gets_what_it_returns():
    network, returned = nn.Sequential(nn.Linear(4, 2)), []
    count_macs(network, (3, 4), run=lambda net, frame: returned.append(net(frame)))
    assert returned[0].shape == (1, 3, 2)


def test_a_network_that_fixes_its_shapes_is_counted_so_for_a_shape_where_nobody_says_how_it_is_run():
    network, pixels = _HasFixedShapes(), 4 * 5
    assert count_macs(network, (3, 4, 5)).teacher == 30 * pixels
    assert count_macs(network, (torch.zeros(1, 3, 4, 5),)).teacher == 6 * pixels
    assert count_macs(network, (3, 4, 5), run=lambda net, frames: net(frames)).teacher == 6 * pixels
