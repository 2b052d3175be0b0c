"""Motion-compensated delta distillation: what is moved, by hand, and what it is without motion."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.moved_rule import MovedDeltaRule, MovedLinearStudent


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
