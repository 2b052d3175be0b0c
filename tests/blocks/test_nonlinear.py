"""Non-linear students: designs, the change they predict, and what is kept from the key frame."""

import pytest
import torch
from torch import nn

from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.mirror import NoMirrorError
from deltadistill.blocks.nonlinear import ChannelSpatialStudent, ChannelStudent, SpatialStudent
from deltadistill.blocks.seat import Seat
from deltadistill.models.ddrnet import BasicBlock, Bottleneck

DESIGNS = [ChannelStudent(gamma=4), SpatialStudent(stride=2), ChannelSpatialStudent(gamma=2, stride=2)]


def block_of(design, teacher=None, *, candidate=COMPRESSED):
    torch.manual_seed(0)
    block = DeltaBlock((teacher or BasicBlock(16, 16)).eval(), design, Seat()).eval()
    nn.init.normal_(block.compressed.out.weight, std=0.1)
    block.decide(candidate)
    return block


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.kind)
@pytest.mark.parametrize("candidate", [UNCOMPRESSED, COMPRESSED])
@pytest.mark.parametrize("size", [(8, 12), (7, 9)])
def test_an_unchanged_input_gives_the_key_frames_output(design, candidate, size):
    block, x = block_of(design, candidate=candidate), torch.randn(2, 16, *size)
    z_key, state = block.key(x)
    torch.testing.assert_close(block.delta(x, state)[0], z_key)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.kind)
@pytest.mark.parametrize(
    "teacher", [BasicBlock(16, 32, stride=2), Bottleneck(16, 16)], ids=["basic", "bottle"]
)
def test_stream_and_clip_predict_the_same_change(design, teacher):
    block = block_of(design, teacher)
    x_key, *later = torch.randn(3, 2, 16, 9, 12)
    z_key, state = block.key(x_key)
    rule = block.rule
    prediction = rule.predict(block, torch.cat(later), x_key, z_key, COMPRESSED)
    clip = rule.prediction.integrate(prediction, z_key)
    streamed = [block.delta(x, state)[0] for x in later]
    torch.testing.assert_close(clip, torch.cat(streamed))
    assert not torch.allclose(streamed[0], z_key)


def test_the_uncompressed_candidate_is_the_teacher_and_keeps_no_state():
    block = block_of(DESIGNS[0], candidate=UNCOMPRESSED)
    x_key, x = torch.randn(2, 1, 16, 8, 8)
    _, state = block.key(x_key)
    assert state == ()
    assert torch.equal(block.delta(x, state)[0], block.teacher(x))


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.kind)
def test_the_uncompressed_candidate_predicts_the_teachers_change_from_either_frame(design):
    """Two streams of three later frames, time first."""
    block, x = block_of(design), torch.randn(8, 16, 7, 10)
    z = block.teacher(x)
    key = x[:2], z[:2]
    found = block.rule.predict(block, x[2:], *key, UNCOMPRESSED)
    torch.testing.assert_close(found, z[2:] - z[:2].repeat(3, 1, 1, 1))
    steps = block.rule.predict_steps(block, x, z[:2], UNCOMPRESSED)
    torch.testing.assert_close(steps, z[2:] - z[:-2])


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.kind)
def test_steps_from_frame_to_frame_are_each_predicted_from_the_frame_before(design):
    block, x = block_of(design), torch.randn(8, 16, 7, 10)
    z_key = block.teacher(x[:2])
    steps = block.rule.predict_steps(block, x, z_key, COMPRESSED).unflatten(0, (3, 2))
    for n, step in enumerate(steps):
        before, now = x[2 * n : 2 * n + 2], x[2 * n + 2 : 2 * n + 4]
        torch.testing.assert_close(step, block.rule.predict(block, now, before, z_key, COMPRESSED))


def test_the_change_by_hand():
    """One channel, identity mirror: h = 3·relu(W_k x_key + W_r (x − x_key))."""

    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1, bias=False)

        def forward(self, x):
            return torch.relu(self.conv(x))

    block = DeltaBlock(Line(), ChannelStudent(gamma=2), Seat())
    for layer, value in (
        (block.teacher.conv, 7.0),
        (block.compressed.of_key, 2.0),
        (block.compressed.of_residual, 0.5),
        (block.compressed.mirror.conv, 1.0),
        (block.compressed.out, 3.0),
    ):
        layer.weight.data.fill_(value)
    block.decide(COMPRESSED)
    z_key, state = block.key(torch.full((1, 1, 1, 1), 10.0))  # 7·10 = 70
    key_part, base = state
    assert key_part.item() == 15.0  # (2 − 0.5)·10
    assert base.item() == 10.0  # 70 − 3·(2·10)
    z, _ = block.delta(torch.full((1, 1, 1, 1), 14.0), state)  # 10 + 3·(2·10 + 0.5·4) = 76
    assert (z_key.item(), z.item()) == (70.0, 76.0)


def test_an_untrained_student_predicts_no_change():
    block = DeltaBlock(BasicBlock(8, 8).eval(), ChannelStudent(gamma=2), Seat()).eval()
    block.decide(COMPRESSED)
    z_key, state = block.key(torch.randn(1, 8, 6, 6))
    torch.testing.assert_close(block.delta(torch.randn(1, 8, 6, 6), state)[0], z_key)


def test_the_gates_gradient_is_the_difference_of_the_candidates():
    block = block_of(DESIGNS[0])
    x_key, x = torch.randn(2, 1, 16, 8, 8)
    z_key = block.teacher(x_key).detach()
    sample = torch.tensor(0.0, requires_grad=True)
    prediction = block.rule.predict(block, x, x_key, z_key, sample)
    upstream = torch.randn_like(prediction)
    (prediction * upstream).sum().backward()
    uncompressed, compressed = (
        block.rule.predict(block, x, x_key, z_key, c) for c in (UNCOMPRESSED, COMPRESSED)
    )
    expected = (upstream * (uncompressed - compressed)).sum()
    torch.testing.assert_close(sample.grad, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.kind)
@pytest.mark.parametrize("first", [nn.ReLU(inplace=True), nn.SiLU(inplace=True), nn.Hardswish(inplace=True)])
def test_a_block_that_changes_its_input_in_place_is_refused(design, first):
    """What reads the input afterwards would read the change on key frames and not on delta frames."""
    block = nn.Sequential(first, nn.Conv2d(16, 16, 3, padding=1))
    assert "in place" in design.reason_against(block)
    with pytest.raises(NoMirrorError, match="inplace=False"):
        design.build(block)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.kind)
def test_a_block_may_work_in_place_after_its_first_layer(design):
    block = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(inplace=True))
    assert design.reason_against(block) is None


def test_the_state_survives_changes_in_place():
    block, x = block_of(DESIGNS[1]), torch.randn(1, 16, 8, 8)
    z, state = block.key(x)
    kept = [tensor.clone() for tensor in state]
    x.zero_()
    z.add_(1)
    assert all(torch.equal(a, b) for a, b in zip(state, kept, strict=True))


class _MeanOfFrames(nn.Module):
    def forward(self, x):
        return x.mean(0, keepdim=True)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (nn.Sequential(nn.Conv2d(8, 8, 3), _MeanOfFrames()), "not one map"),
        (nn.ReLU(), "no parameters"),
        (nn.Linear(4, 4), "no convolution"),
        (nn.Sequential(nn.Conv2d(8, 8, 3), nn.GroupNorm(2, 8)), "GroupNorm"),
        (nn.Conv2d(2, 2, 1), "dearer"),
        (nn.Sequential(nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "not one map"),
        (nn.Conv2d(6, 9, 3, groups=3), "do not divide"),
    ],
)
def test_what_has_no_student_is_refused_with_a_reason(module, reason):
    assert reason in ChannelStudent(gamma=4).reason_against(module)


def test_what_a_student_prepares_on_the_key_frame_counts_as_its_cost():
    """MACs per low-resolution position: 8 channels, stride 2, kernels of 9 and of 3 taps.

    The teacher takes 4·64·taps. A delta takes 64 on the way in, 64·taps in the mirror and 256 on the way
    out; the key frame takes that and another 128, half of which falls on each of two delta frames.
    9 taps: 896 + (896 + 128)/2 = 1408 of 2304. 3 taps: 512 alone is below 768, 512 + (512 + 128)/2 = 832 not.
    """
    square = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1))
    upright = nn.Sequential(nn.Conv2d(8, 8, (3, 1), padding=(1, 0)))
    assert SpatialStudent(stride=2).reason_against(square) is None
    assert "1.08 times the MACs over T = 3" in SpatialStudent(stride=2).reason_against(upright)


class _NormAndActivation(nn.BatchNorm2d):
    """A norm that holds its activation, as timm's do."""

    def __init__(self, channels, *, slope=0.0, **settings):
        super().__init__(channels, **settings)
        self.act = nn.LeakyReLU(slope)

    def forward(self, x):
        return self.act(super().forward(x))


class _ShiftingNorm(nn.BatchNorm2d):
    def __init__(self, channels):
        super().__init__(channels)
        self.shift = nn.Parameter(torch.zeros(channels))


def test_the_mirror_of_a_norm_keeps_its_activation_and_settings():
    norm = _NormAndActivation(8, slope=0.3, eps=0.01, momentum=0.2)
    block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), norm)
    mirror = ChannelStudent(gamma=2).build(block).mirror
    narrow = mirror[1].eval()
    assert (narrow.act.negative_slope, narrow.eps, narrow.momentum) == (0.3, 0.01, 0.2)
    assert narrow.running_mean.shape == narrow.weight.shape == (4,)
    x = torch.randn(1, 4, 3, 3)
    torch.testing.assert_close(narrow(x), nn.functional.leaky_relu(x / 1.01**0.5, 0.3))
    assert norm.num_features == 8


def test_layers_that_a_block_shares_are_shared_in_its_mirror():
    conv, norm = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
    mirror = ChannelStudent(gamma=2).build(nn.Sequential(conv, norm, nn.ReLU(), conv, norm)).mirror
    assert mirror[0] is mirror[3]
    assert mirror[1] is mirror[4]
    assert mirror[1].num_features == 4


def test_an_activation_with_parameters_inside_a_norm_is_refused_by_its_name():
    norm = _NormAndActivation(8)
    norm.act = nn.PReLU()
    assert "PReLU" in ChannelStudent(gamma=2).reason_against(
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), norm)
    )


def test_a_norm_with_parameters_of_its_own_is_refused_by_its_name():
    block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), _ShiftingNorm(8))
    assert "_ShiftingNorm" in ChannelStudent(gamma=2).reason_against(block)


@pytest.mark.parametrize("padding", [0, 2])
def test_a_spatial_student_whose_maps_would_not_fit_is_refused(padding):
    block = nn.Sequential(nn.Conv2d(16, 16, 3, padding=padding), nn.ReLU())
    assert "do not fit" in SpatialStudent(stride=2).reason_against(block)
    assert "do not fit" in ChannelSpatialStudent().reason_against(block)
    assert ChannelStudent(gamma=4).reason_against(block) is None


@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("teacher_stride", [1, 2, 4])
def test_a_spatial_student_fits_a_block_with_strides(stride, teacher_stride):
    block = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, stride=teacher_stride), nn.ReLU())
    student = SpatialStudent(stride=stride).build(block)
    x = torch.randn(1, 64, 19, 30)
    assert student(x, student.key_part(x), block(x).shape[-2:]).shape == block(x).shape


@pytest.mark.parametrize("settings", [(ChannelStudent, {"gamma": 1}), (SpatialStudent, {"stride": 1})])
def test_a_reduction_by_one_is_refused(settings):
    design, values = settings
    with pytest.raises(ValueError, match="reduces nothing"):
        design(**values)
