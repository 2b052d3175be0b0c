"""The terms of Eq. 5 against numbers worked by hand."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.candidate_costs import CostTable, delta_cost
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.sessions import CallError, ClipSession
from deltadistill.distillation.expected_cost import expected_cost
from deltadistill.distillation.layer_errors import layer_errors
from deltadistill.objectives.relative_errors import distillation_loss
from deltadistill.objectives.teacher_pass import probe_teacher


def three_scalars(predicts="delta"):
    """first: 3x; inner: 2x + 1, its student 1.5x; last: x."""
    layers = [nn.Conv2d(1, 1, 1, bias=False), nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1, bias=False)]
    for layer, weight in zip(layers, (3.0, 2.0, 1.0), strict=True):
        layer.weight.data.fill_(weight)
    layers[1].bias.data.fill_(1.0)
    student = dd.LinearStudent(gamma=1, keep_dearer=True)
    network = dd.convert(nn.Sequential(*layers), student, predicts=predicts)
    (block,) = delta_blocks(network).values()
    block.compressed[0].weight.data.fill_(1.5)
    block.compressed[1].weight.data.fill_(1.0)
    block.decide("compressed")
    return network


def clip_of(*values):
    return torch.tensor(values).reshape(1, -1, 1, 1, 1)


def error_of(network, clip):
    later = clip[:, 1:].transpose(0, 1).flatten(0, 1)
    session = ClipSession(clip.shape[1], targets=probe_teacher(network, later).targets)
    output = dd.forward_clip(network, clip, session=session)
    return output.flatten().tolist(), distillation_loss(session.errors.values()).item()


def test_the_relative_error_is_the_share_of_the_targets_energy():
    # (1² + 2²) / (2² + 4²) = 5 / 20
    error = CallError.of(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0]))
    assert error.relative().item() == pytest.approx(0.25)


def test_a_target_of_zero_leaves_the_error_itself():
    assert CallError.of(torch.tensor([3.0]), torch.tensor([0.0])).relative().item() == 9.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_target_whose_squares_are_lost_in_the_range_leaves_the_error_undivided(dtype):
    """Its energy is not zero, but no number to divide by: the quotient would have no bound."""
    limits = torch.finfo(dtype)
    for energy in (limits.smallest_normal * limits.eps, limits.tiny, limits.tiny / limits.eps):
        error = CallError(torch.tensor(9.0, dtype=dtype), torch.tensor(energy, dtype=dtype))
        assert error.energy > 0
        assert error.relative().item() == error.relative(error.energy / 2).item() == 9.0
    above = torch.tensor(2 * limits.tiny / limits.eps, dtype=dtype)
    assert CallError(above, above).relative().item() == 1.0


@pytest.mark.parametrize("size", [1e3, 0.1, 1e-3, 1e-8])
def test_a_target_of_any_size_is_divided_by(size):
    """Deltas of late layers are small: undivided, their errors would weigh nothing beside others."""
    error = CallError.of(size * torch.tensor([1.0, -2.0]), size * torch.tensor([2.0, -4.0]))
    assert error.relative().item() == pytest.approx(0.25)
    assert error.relative(torch.tensor(40 * size**2)).item() == pytest.approx(5 / 40)


def test_delta_distillation_compares_changes_equation_2():
    # x: 1 → 2; inner sees 3 → 6; teacher 7 → 13, Δz = 6; student 1.5·3 = 4.5; error (1.5/6)² = 0.0625
    outputs, error = error_of(three_scalars(), clip_of(1.0, 2.0))
    assert outputs == [7.0, 11.5]
    assert error == pytest.approx(0.0625)


def test_feature_distillation_compares_features_equation_1():
    # teacher 13; student 1.5·6 + bias 1 = 10; error (3/13)²
    outputs, error = error_of(three_scalars("feature"), clip_of(1.0, 2.0))
    assert outputs == [7.0, 10.0]
    assert error == pytest.approx((3 / 13) ** 2)


def test_every_later_frame_of_a_longer_clip_counts():
    # Δz: 6 and −6; student 4.5 and −4.5: errors 1.5² twice over 6² twice
    _, error = error_of(three_scalars(), clip_of(1.0, 2.0, 0.0))
    assert error == pytest.approx(0.0625)


def test_every_call_of_a_shared_block_has_its_own_term():
    from architectures import build

    network = dd.convert(build("shared head"), dd.LinearStudent(gamma=2))
    clip = torch.randn(1, 2, 3, 16, 16)
    session = ClipSession(2, targets=probe_teacher(network, clip[:, 1]).targets)
    dd.forward_clip(network, clip, session=session)
    calls = sorted(call for _, call in session.errors)
    assert calls == [0, 0, 1, 1]  # two convolutions in the head, two levels


def test_targets_are_the_teachers_own_and_carry_no_gradient():
    network = three_scalars()
    ((target),) = probe_teacher(network, clip_of(2.0)[:, 0]).targets.values()
    assert target.item() == 13.0
    assert not target.requires_grad


def test_the_expected_cost_weighs_the_candidates_by_their_probabilities_equation_4():
    network = three_scalars()
    (name,) = delta_blocks(network)
    block = delta_blocks(network)[name]
    block.decided = None
    block.gate.logit.data.fill_(-1.0)
    costs = CostTable(blocks={name: (100.0, 20.0)}, rest=50.0, teacher=200.0)
    cost = expected_cost(network, costs)
    # p = σ(−1) = 0.268941; 50 + 0.268941·100 + 0.731059·20 = 91.51530; / 200
    assert cost.item() == pytest.approx(0.4575765, rel=1e-5)
    cost.backward()
    # dp/dlogit = 0.196612; · (100 − 20) / 200
    assert block.gate.logit.grad.item() == pytest.approx(0.0786448, rel=1e-4)


def test_a_decided_block_costs_what_its_candidate_does():
    layers = [nn.Conv2d(1, 1, 1, bias=False) for _ in range(3)]
    network = dd.convert(
        nn.Sequential(*layers), dd.LinearStudent(gamma=1, keep_dearer=True), dd.all_convolutions
    )
    first, second, third = delta_blocks(network).values()
    first.decide("uncompressed")
    second.decide("compressed")
    third.gate.logit.data.fill_(-1.0)
    pairs = [(100.0, 20.0), (40.0, 3.0), (7.0, 10.0)]
    costs = CostTable(dict(zip(delta_blocks(network), pairs, strict=True)), rest=50.0, teacher=200.0)
    # p = σ(−1) = 0.268941: 50 + 100 + 3 + 0.268941·7 + 0.731059·10 = 162.19318
    assert expected_cost(network, costs).item() == pytest.approx(162.19318 / 200, rel=1e-5)
    assert delta_cost(network, costs) == 50 + 100 + 3 + 10  # the third's gate prefers compressed
    third.decide("uncompressed")
    assert expected_cost(network, costs).item() == pytest.approx(160 / 200)
    assert delta_cost(network, costs) == 50 + 100 + 3 + 7


def test_a_cost_table_of_another_network_is_refused():
    with pytest.raises(ValueError, match="differ"):
        expected_cost(three_scalars(), CostTable(blocks={"other": (1, 1)}, rest=0, teacher=1))


def test_the_error_of_a_block_is_the_mean_over_its_calls():
    """A student that says nothing misses the whole of each change."""
    torch.manual_seed(0)
    twice = nn.Conv2d(4, 4, 3, padding=1)
    layers = nn.Conv2d(3, 4, 3), twice, nn.ReLU(), twice, nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1)
    network = dd.convert(nn.Sequential(*layers).eval(), dd.LinearStudent(gamma=4), lambda _: ["1", "4"])
    for block in delta_blocks(network).values():
        block.decide("compressed")
        for parameter in block.compressed.parameters():
            nn.init.zeros_(parameter)
    assert layer_errors(network, torch.randn(2, 3, 3, 9, 8)) == pytest.approx({"1": 1, "4": 1})
