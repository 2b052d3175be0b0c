"""Students at lower resolution: the key frame's gated detail on what the coarse block says."""

from math import log

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.reduced import ReducedResolution
from deltadistill.blocks.seat import Seat
from deltadistill.exporting.stream_memory import stream_memory
from deltadistill.models.ddrnet import BasicBlock, Bottleneck

PLANE = 16 * 16 * 4  # bytes of a channel


def by_hand(**settings):
    """f(x) = 2 x on one channel; σ(G [d⁺, d⁻]) is σ(−ln 3 d⁺ + ln 3 d⁻), and E d = d / 2."""
    teacher = nn.Conv2d(1, 1, 1, bias=False)
    teacher.weight.data.fill_(2.0)
    block = DeltaBlock(teacher, ReducedResolution(**settings), Seat()).eval()
    student = block.compressed
    if student.gate is not None:
        student.gate.weight.data = torch.tensor([-log(3), log(3)]).view(1, 2, 1, 1)
    student.encoding.weight.data[0, 0, 1, 1] = 0.5
    block.decide(COMPRESSED)
    return block


def block_of(teacher=None, *, candidate=COMPRESSED, **settings):
    torch.manual_seed(0)
    block = DeltaBlock((teacher or BasicBlock(16, 16)).eval(), ReducedResolution(**settings), Seat()).eval()
    draw(block.compressed)
    block.decide(candidate)
    return block


def draw(student):
    """Weights at random where an untrained student has zeros."""
    for layer in (student.gate, student.encoding):
        nn.init.normal_(layer.weight, std=0.2)


def picture(*values):
    return torch.tensor(values, dtype=torch.float32).view(1, 1, 2, 2)


KEY = picture(1, 3, 5, 7)  # means 4, so that l_0 = 8, z_0 = 2 x and c_0 = [-6, -2, 2, 6]
RISEN = picture(1, 3, 5, 11)  # means 5: l_t = 10, d = 2, 2σ(−2 ln 3) = 0.2, E d = 1
FALLEN = picture(1, 3, 1, 7)  # means 3: l_t = 6, d = −2, 2σ(2 ln 3) = 1.8, E d = −1


@torch.no_grad()
def test_the_key_frames_detail_is_gated_and_added_to_the_coarse_output_by_hand():
    block = by_hand()
    z, (detail, coarse) = block.key(KEY)
    torch.testing.assert_close(z, 2 * KEY)
    torch.testing.assert_close(detail, picture(-6, -2, 2, 6))
    torch.testing.assert_close(coarse, torch.full((1, 1, 1, 1), 8.0))
    state = (detail, coarse)
    risen = picture(*(11 + 0.2 * c for c in (-6, -2, 2, 6)))
    fallen = picture(*(5 + 1.8 * c for c in (-6, -2, 2, 6)))
    torch.testing.assert_close(block.delta(RISEN, state)[0], risen)
    torch.testing.assert_close(block.delta(FALLEN, state)[0], fallen)
    torch.testing.assert_close(block.delta(KEY, state)[0], z)


@torch.no_grad()
def test_without_a_gate_the_detail_is_added_as_it_is():
    block = by_hand(gated=False)
    _, state = block.key(KEY)
    torch.testing.assert_close(block.delta(RISEN, state)[0], picture(11 - 6, 11 - 2, 11 + 2, 11 + 6))


@torch.no_grad()
def test_an_untrained_student_adds_the_coarse_blocks_change_to_the_key_frames_output():
    block = DeltaBlock(BasicBlock(4, 4).eval(), ReducedResolution(), Seat()).eval()
    block.decide(COMPRESSED)
    x_key, x = torch.randn(2, 1, 4, 8, 8)
    z, state = block.key(x_key)
    up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    coarse, coarse_key = (block.teacher(nn.functional.avg_pool2d(frame, 2)) for frame in (x, x_key))
    torch.testing.assert_close(block.delta(x, state)[0], z + up(coarse - coarse_key))


@pytest.mark.parametrize("candidate", [UNCOMPRESSED, COMPRESSED])
@pytest.mark.parametrize("size", [(8, 12), (7, 9)])
def test_an_unchanged_input_gives_the_key_frames_output(candidate, size):
    block, x = block_of(candidate=candidate), torch.randn(2, 16, *size)
    z_key, state = block.key(x)
    torch.testing.assert_close(block.delta(x, state)[0], z_key)


@pytest.mark.parametrize("settings", [{}, {"factor": 4}])
@pytest.mark.parametrize(
    "teacher", [BasicBlock(16, 32, stride=2), Bottleneck(16, 16)], ids=["basic", "bottle"]
)
def test_stream_and_clip_predict_the_same_change(teacher, settings):
    block = block_of(teacher, **settings)
    x_key, *later = torch.randn(3, 2, 16, 9, 12)
    z_key, state = block.key(x_key)
    prediction = block.rule.predict(block, torch.cat(later), x_key, z_key, COMPRESSED)
    clip = block.rule.prediction.integrate(prediction, z_key)
    streamed = [block.delta(x, state)[0] for x in later]
    torch.testing.assert_close(clip, torch.cat(streamed))
    assert not torch.allclose(streamed[0], z_key)


def test_batch_norms_that_learn_see_key_frame_and_later_frame_together():
    """Else a still clip in training would have two statistics, and a change where there is none."""
    block = block_of().train()
    x = torch.randn(2, 16, 8, 8)
    change = block.rule.predict(block, x, x, block.teacher(x), COMPRESSED)
    torch.testing.assert_close(change, torch.zeros_like(change))


def test_gate_and_encoding_learn_from_the_first_step():
    block = DeltaBlock(BasicBlock(4, 4), ReducedResolution(), Seat()).eval()
    x_key, x = torch.randn(2, 1, 4, 8, 8)
    block.rule.predict(block, x, x_key, block.teacher(x_key), COMPRESSED).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in block.compressed.parameters())


def test_what_is_no_map_at_both_resolutions_is_left_alone_with_the_reason():
    design = ReducedResolution()
    flat = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    assert "its output is not one map" in design.reason_against(flat)
    assert "has no parameters" in design.reason_against(nn.ReLU())
    assert "does not run on one map" in design.reason_against(
        nn.Conv2d(3, 4, 33)
    )  # larger than the half of 64
    assert "dearer than its teacher" in design.reason_against(nn.Conv2d(16, 16, 1))  # as the encoding is 3×3


def test_settings_and_predictions_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="factor 1 must be at least 2"):
        ReducedResolution(factor=1)
    with pytest.raises(ValueError, match="students at lower resolution predict changes"):
        ReducedResolution().rule("feature")


def test_a_network_with_a_trunk_has_that_as_its_one_block_and_others_are_one_themselves():
    whole = dd.models.build("coarse_trunk", classes=3, width=4)
    assert dd.whole_network(whole) == ["trunk"]
    assert dd.whole_network(whole.trunk) == [""]


def test_a_students_macs_by_hand():
    """A 3×3 convolution of 8 channels on 4×4 pixels, whose copy, gate and encoding run on 2×2."""
    plain = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False))
    network = dd.convert(plain, ReducedResolution(), dd.all_convolutions)
    network[0].decide(COMPRESSED)
    table = dd.count_macs(network, (8, 4, 4))
    copy, gate, encoding = 8 * 8 * 9 * 4, 16 * 8 * 4, 8 * 8 * 9 * 4
    assert table.delta == copy + gate + encoding
    assert table.key - table.teacher == copy


def layer(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def test_of_a_stream_small_maps_are_kept_and_a_later_frame_needs_a_quarter_by_hand():
    """3 → 8 → 8 channels at 16×16, 2 of them behind a pooling by 4; a frame is 3 planes."""
    plain = nn.Sequential(layer(3, 8), layer(8, 8), nn.AvgPool2d(4), layer(8, 2)).eval()
    delta = dd.convert(plain, ReducedResolution(), dd.whole_network)
    delta.decide(COMPRESSED)
    found = stream_memory(delta, torch.zeros(1, 3, 16, 16))
    kept = 2 / 16 + 2 / 64  # planes: the detail at 4×4, the coarse map at 2×2
    assert found.maps == kept * PLANE
    assert found.frame.peak == 16 * PLANE  # in and out of the second layer
    assert found.key.peak == (16 + 2 / 64) * PLANE  # the coarse map is there before: the frame need not wait
    assert found.delta.peak == (kept + 16 / 4) * PLANE
