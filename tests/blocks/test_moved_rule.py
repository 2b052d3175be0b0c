"""Motion-compensated delta distillation: what is moved, by hand, and what it is without motion."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.delta_rule import DeltaRule
from deltadistill.blocks.moved_rule import MovedDeltaRule, MovedLinearStudent, maps_moved
from deltadistill.blocks.sessions import ClipSession


class Parts:
    """A teacher that triples and adds 10, and a student that predicts a change of twice the input's."""

    choice = "compressed"

    def __init__(self):
        self.teacher = nn.Conv2d(1, 1, 1).requires_grad_(False)
        nn.init.constant_(self.teacher.weight, 3)
        nn.init.constant_(self.teacher.bias, 10)
        self.compressed = lambda x: 2 * x


def flow(x, size=(2, 3)):
    return torch.stack([torch.full(size, float(x)), torch.zeros(size)])[None]


def test_what_the_key_frame_left_is_moved_and_what_the_student_sees_is_added():
    rule, parts, x = MovedDeltaRule(), Parts(), torch.arange(6.0).reshape(1, 1, 2, 3)
    z, state = rule.key(parts, x)
    assert torch.equal(z, 3 * x + 10)
    assert torch.equal(state[0], x + 10)  # c_0 = z_0 − g(x_0)
    later = torch.full_like(x, 5.0)
    moved, kept = rule.delta(parts, later, rule.carry(state, flow(-1)))  # a pixel to the right
    torch.testing.assert_close(moved[0, 0], torch.tensor([[20.0, 20, 21], [23, 23, 24]]))
    # motion is since the key frame: the next one does not begin where this one ended
    again, _ = rule.delta(parts, later, rule.carry(kept, flow(-1)))
    assert torch.equal(again, moved)
    unmoved, _ = rule.delta(parts, later, kept)
    assert torch.equal(unmoved, z + 2 * (later - x))


def test_maps_that_are_too_coarse_stay():
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    for coarsest, stays in ((4, False), (3.9, True)):
        rule = MovedDeltaRule(coarsest)
        state = rule.carry(rule.state_of(Parts(), x, x), flow(-3, (8, 12)))  # four times the maps' resolution
        assert (len(state) == 1) is stays


def test_as_a_design_a_picture_that_moves_as_a_whole_is_followed():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 2, 1)
    network = dd.convert(nn.Sequential(*layers).eval(), MovedLinearStudent(gamma=4), dd.all_convolutions)
    deployed = dd.deploy(network)
    stream, first = dd.Stream(deployed, period=9), torch.rand(1, 3, 6, 8)
    stream(first)
    for step in (1, 2, 3):
        frame = first.roll(step, 3)
        found, wanted = stream(frame, motion=flow(-step, (6, 8))), deployed(frame)
        torch.testing.assert_close(found[..., step:], wanted[..., step:], atol=1e-4, rtol=1e-4)
    plain = dd.Stream(deployed, period=9)
    plain(first)
    moved = plain(first.roll(2, 3)) - deployed(first.roll(2, 3))
    assert moved.abs().max() > 1e-2  # without motion students do not know


def test_students_that_predict_features_are_refused():
    with pytest.raises(ValueError, match="moved students predict changes; got predicts 'feature'"):
        MovedLinearStudent().rule("feature")


def test_learnt_under_motion_the_prediction_is_what_the_moved_output_lacks():
    rule, parts = MovedDeltaRule(), Parts()
    x_key, x = torch.arange(6.0).reshape(1, 1, 2, 3), torch.full((1, 1, 2, 3), 5.0)
    z_key, motion = 3 * x_key + 10, flow(-1)  # a pixel to the right, the border repeated
    reference = rule.reference(z_key, motion)
    torch.testing.assert_close(reference[0, 0], torch.tensor([[10.0, 10, 13], [19, 19, 22]]))
    predicted = rule.predict_along(parts, x, x_key, z_key, "compressed", motion)
    torch.testing.assert_close(predicted[0, 0], 10 - 2 * torch.tensor([[0.0, 0, 1], [3, 3, 4]]))
    moved, _ = rule.delta(parts, x, rule.carry(rule.key(parts, x_key)[1], motion))
    torch.testing.assert_close(reference + predicted, moved)  # as a stream has it


def test_clips_under_motion_are_what_the_moved_stream_says_frame_by_frame():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    network = dd.convert(nn.Sequential(*layers, nn.Conv2d(8, 2, 1)).eval(), dd.LinearStudent(gamma=4))
    for block in delta_blocks(network).values():
        block.decide("compressed")
    clips = torch.rand(2, 3, 3, 8, 8)
    motion = torch.randn(2, 2, 2, 4, 4)
    with torch.no_grad(), maps_moved(network, coarsest=2):
        found = dd.forward_clip(network, clips, motion=motion)
        for clip in range(2):
            stream = dd.Stream(network, period=9)
            stream(clips[clip, :1])
            for later in (1, 2):
                wanted = stream(clips[clip, later : later + 1], motion=motion[clip, later - 1 : later])
                torch.testing.assert_close(found[clip, later : later + 1], wanted, atol=1e-5, rtol=1e-5)
    unmoved = dd.forward_clip(network, clips, motion=motion)  # rules of before are back
    torch.testing.assert_close(unmoved, dd.forward_clip(network, clips))
    assert (unmoved - found)[:, 1:].abs().max() > 1e-3


def test_rules_that_move_nothing_take_no_notice_of_motion():
    rule, parts, x = DeltaRule(), Parts(), torch.arange(6.0).reshape(1, 1, 2, 3)
    given = parts, x + 1, x, 3 * x, "compressed"
    assert torch.equal(rule.predict_along(*given, flow(1)), rule.predict(*given))
    assert rule.reference(x, flow(1)) is x


def test_motion_is_since_the_key_frame():
    session = ClipSession(3, relative_to="previous")
    with pytest.raises(ValueError, match="it goes with relative_to='key'"):
        session.begin(clips=1, motion=flow(1))


def test_a_network_that_keeps_nothing_to_move_is_refused():
    layers = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 2, 1)
    network = dd.convert(nn.Sequential(*layers).eval(), dd.LinearStudent(), predicts="feature")
    with pytest.raises(ValueError, match="and the network has none; give no motion"), maps_moved(network):
        pass
