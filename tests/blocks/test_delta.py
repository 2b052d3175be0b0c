"""A converted block: candidates, gate gradients, state."""

import pytest
import torch
from torch import nn

from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_rule import run_candidates
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.nonlinear import ChannelStudent, SpatialStudent
from deltadistill.blocks.seat import Seat
from deltadistill.models.ddrnet import BasicBlock


def block_of(inputs=3, outputs=4):
    torch.manual_seed(0)
    return DeltaBlock(nn.Conv2d(inputs, outputs, 3, padding=1), LinearStudent(gamma=2), Seat())


@pytest.mark.parametrize(
    ("teacher", "design", "name"),
    [(nn.Conv2d(4, 4, 3), LinearStudent(), "input"), (BasicBlock(16, 16), ChannelStudent(), "x")],
)
def test_a_block_takes_its_frames_by_the_name_that_its_teacher_has_for_them(teacher, design, name):
    block, x = DeltaBlock(teacher.eval(), design, Seat()), torch.randn(1, 16 if name == "x" else 4, 6, 6)
    assert torch.equal(block(**{name: x}), teacher(x))
    with pytest.raises(TypeError, match=name):
        block(wrong=x)
    with pytest.raises(ValueError, match="2 inputs"):
        block(x, x)


def test_a_block_made_by_hand_has_a_row_per_frame_and_no_name_until_it_is_converted():
    block = block_of()
    assert (block.name, block.rows_per_frame, block.probed, block.decided) == ("", 1, False, None)
    assert set(block.candidates) == {UNCOMPRESSED, COMPRESSED}


def test_the_uncompressed_candidate_makes_every_delta_exact():
    block = block_of()
    block.decide(UNCOMPRESSED)
    x_key, x = torch.randn(2, 1, 3, 6, 7)
    _, state = block.key(x_key)
    torch.testing.assert_close(block.delta(x, state)[0], block.teacher(x))


@pytest.mark.parametrize("candidate", [UNCOMPRESSED, COMPRESSED])
def test_an_unchanged_input_gives_the_key_frames_output(candidate):
    block = block_of()
    block.decide(candidate)
    x = torch.randn(1, 3, 6, 7)
    z_key, state = block.key(x)
    assert torch.equal(block.delta(x, state)[0], z_key)


def test_a_delta_is_the_key_output_plus_the_students_change_by_hand():
    block = DeltaBlock(nn.Conv2d(1, 1, 1), LinearStudent(gamma=1, keep_dearer=True), Seat())
    block.teacher.weight.data.fill_(2.0)
    block.teacher.bias.data.fill_(5.0)
    block.compressed[0].weight.data.fill_(1.5)
    block.compressed[1].weight.data.fill_(1.0)
    block.decide(COMPRESSED)
    z_key, state = block.key(torch.full((1, 1, 1, 1), 10.0))  # 2·10 + 5 = 25
    z, _ = block.delta(torch.full((1, 1, 1, 1), 12.0), state)  # 25 + 1.5·(12 − 10) = 28
    assert (z_key.item(), z.item()) == (25.0, 28.0)


def test_a_feature_is_the_students_output_plus_the_bias_by_hand():
    students = LinearStudent(gamma=1, keep_dearer=True)
    block = DeltaBlock(nn.Conv2d(1, 1, 1), students, Seat(), predicts="feature")
    block.teacher.bias.data.fill_(5.0)
    block.compressed[0].weight.data.fill_(1.5)
    block.compressed[1].weight.data.fill_(1.0)
    block.decide(COMPRESSED)
    _, state = block.key(torch.full((1, 1, 1, 1), 10.0))
    assert block.delta(torch.full((1, 1, 1, 1), 12.0), state)[0].item() == 23.0  # 1.5·12 + 5
    assert state == ()


def test_changing_tensors_in_place_after_the_block_leaves_its_state_alone():
    block = block_of()
    x = torch.randn(1, 3, 6, 7)
    z, state = block.key(x)
    kept = [tensor.clone() for tensor in state]
    x.zero_()
    z.add_(1)
    assert all(torch.equal(a, b) for a, b in zip(state, kept, strict=True))


@pytest.mark.parametrize("drawn", [0.0, 1.0])
def test_the_gates_gradient_is_the_difference_of_the_candidates(drawn):
    block, x = block_of(), torch.randn(1, 3, 6, 7)
    sample = torch.tensor(drawn, requires_grad=True)
    output = run_candidates(block, x, sample)
    upstream = torch.randn_like(output)
    (output * upstream).sum().backward()
    expected = (upstream * (block.uncompressed(x) - block.compressed(x))).sum()
    torch.testing.assert_close(sample.grad, expected, rtol=1e-4, atol=1e-4)


def test_only_the_drawn_candidate_learns():
    block = block_of()
    run_candidates(block, torch.randn(1, 3, 6, 7), torch.tensor(1.0, requires_grad=True)).sum().backward()
    assert block.uncompressed.weight.grad is not None
    assert block.compressed[0].weight.grad is None


def test_dropping_the_unused_candidate_keeps_the_output():
    block, x = block_of(), torch.randn(2, 1, 3, 6, 7)
    block.decide(COMPRESSED)
    _, state = block.key(x[0])
    before, _ = block.delta(x[1], state)
    block.drop_unused()
    assert block.uncompressed is None
    assert block.gate is None
    assert torch.equal(block.delta(x[1], state)[0], before)
    with pytest.raises(ValueError, match="dropped"):
        block.decide(UNCOMPRESSED)


@pytest.mark.parametrize("decision", [UNCOMPRESSED, COMPRESSED, None])
def test_a_decision_is_part_of_the_state_dict(decision):
    searched, other = block_of(), block_of()
    other.decide(COMPRESSED)
    if decision:
        searched.decide(decision)
    assert all(isinstance(value, torch.Tensor) for value in searched.state_dict().values())
    other.load_state_dict(searched.state_dict())
    assert other.decided == decision


def test_a_state_dict_without_decisions_loads_strictly_and_leaves_them():
    old, block = block_of().state_dict(), block_of()
    del old["decision"]
    block.decide(COMPRESSED)
    block.load_state_dict(old)
    assert block.decided == COMPRESSED


def test_a_deployed_block_has_tensors_of_its_weights_only():
    block = block_of()
    block.drop_unused()
    assert sorted(block.state_dict()) == [
        "compressed.0.weight",
        "compressed.1.weight",
        "teacher.bias",
        "teacher.weight",
    ]


def test_an_undecided_block_follows_its_gate_again_and_a_deployed_one_has_none():
    block = block_of()
    block.decide(UNCOMPRESSED)
    block.undecide()
    assert block.choice == COMPRESSED
    block.drop_unused()
    with pytest.raises(ValueError, match="deployed"):
        block.undecide()


@pytest.mark.parametrize(
    ("teacher", "design"),
    [
        (nn.Conv2d(4, 4, 3), LinearStudent()),
        (BasicBlock(16, 16), ChannelStudent()),
        (BasicBlock(16, 16), SpatialStudent()),
    ],
)
def test_every_parameter_of_the_students_of_a_frozen_teacher_learns(teacher, design):
    block = DeltaBlock(teacher.eval().requires_grad_(False), design, Seat())
    assert all(parameter.requires_grad for parameter in block.student_parameters())
    assert not any(parameter.requires_grad for parameter in block.teacher.parameters())
