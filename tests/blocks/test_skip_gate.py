"""Gates of Skip-Convolutions: what they compare, what they learn by, and what they cost, by hand."""

import pytest
import torch
from torch import nn

from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.skip_gate import LearnedGate, NormGate, window
from deltadistill.blocks.skip_gates import SkipGates, build, described, learned_skips
from deltadistill.blocks.skip_rule import SkipConvolution, SkipRule, skip_macs
from deltadistill.conversion.convert import convert
from deltadistill.conversion.selectors import all_convolutions


def test_a_learned_gate_begins_as_the_norm_gate_where_windows_are_whole():
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, (3, 5), padding=(1, 2))
    x, residual = torch.randn(2, 3, 9, 11), torch.randn(2, 3, 9, 11)
    norm, learned = NormGate(0.9), LearnedGate(3, window(layer), threshold=0.9).eval()
    found = [gate.opens(residual, gate.level(x), layer) for gate in (norm, learned)]
    inside = (..., slice(1, -1), slice(2, -2))
    assert torch.equal(found[0][inside], found[1][inside])
    assert 0 < found[1][inside].mean() < 1


def test_a_learned_gate_weighs_changes_by_channel_and_place():
    gate = LearnedGate(2, (1, 1), threshold=1.0).eval()
    with torch.no_grad():
        gate.see.weight.copy_(torch.tensor([1.0, -2.0]).view(1, 2, 1, 1))
        gate.see.bias.fill_(-0.5)
    key = torch.full((1, 2, 1, 3), -2.0)  # mean magnitude 2
    residual = torch.tensor([[2.0, -2.0, 4.0], [0.0, 0.5, 4.0]]).view(1, 2, 1, 3)
    # logits |r₁|/2 − 2·|r₂|/2 − 0.5: 0.5, 0, −2.5
    assert gate.opens(residual, gate.level(key), nn.Conv2d(2, 1, 1)).flatten().tolist() == [1, 0, 0]


def test_a_drawn_gate_is_hard_and_has_the_gradient_of_the_relaxed_one():
    torch.manual_seed(0)
    gate, layer = LearnedGate(1, (1, 1), threshold=1.0).train(), nn.Conv2d(1, 1, 1)
    residual, level = torch.ones(1, 1, 40, 50), torch.ones(1, 1, 1, 1)  # logit 0: as often 1 as 0
    drawn = gate.opens(residual, level, layer)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.05)
    drawn.sum().backward()
    assert gate.see.bias.grad > 0


def test_an_input_of_zeros_lets_every_change_through():
    gate, layer = LearnedGate(1, (1, 1), threshold=0.3).eval(), nn.Conv2d(1, 1, 1)
    level = gate.level(torch.zeros(1, 1, 2, 2))
    changed = torch.tensor([0.0, 1e-3, 0, 0]).view(1, 1, 2, 2)
    assert gate.opens(changed, level, layer).flatten().tolist() == [0, 1, 0, 0]


def test_gradients_reach_the_gate_through_output_reference_and_positions():
    torch.manual_seed(0)
    layer, gate = nn.Conv2d(2, 3, 3, stride=2, padding=1).requires_grad_(False), None
    for read in (lambda z, state: z, lambda z, state: state[0], lambda z, state: state[3]):
        gate = LearnedGate(2, (3, 3), threshold=1.0).train()
        rule, x = SkipRule(gate), torch.randn(1, 2, 8, 8)
        parts = type("Parts", (), {"teacher": layer})
        state = rule.state_of(parts, x, layer(x))
        z, state = rule.delta(parts, x + torch.randn_like(x), state)
        read(z, state).sum().backward()
        assert gate.see.weight.grad.abs().sum() > 0


def test_it_costs_its_filter_at_each_input_place():
    layer, rule = nn.Conv2d(3, 4, 3, padding=1), SkipRule(LearnedGate(3, (3, 3), threshold=1.0))
    state = torch.zeros(2, 3, 8, 8), torch.zeros(2, 4, 8, 8), torch.zeros(2), torch.tensor([10.0, 20.0])
    assert skip_macs(layer, rule, state) == 15 * 27 * 4 + 3 * 64 * 9


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, (1, 5), padding=(0, 2)))


def test_gates_are_built_again_from_their_description_and_find_their_layers():
    plain = convert(Net().eval(), SkipConvolution(0.5), all_convolutions)
    found = described(plain, threshold=0.5)
    assert found["options"]["layers"] == {"0": [3, 3, 3], "2": [4, 1, 5]}
    gates = build(classes=found["classes"], **found["options"])
    network = convert(Net().eval(), learned_skips(gates), all_convolutions)
    assert {name: block.rule.gate for name, block in delta_blocks(network).items()} == gates.by_layer()


def test_layers_without_a_gate_of_theirs_run_in_full_with_the_reason():
    gates = SkipGates({"2": [4, 1, 5]}, threshold=0.5)
    network = convert(Net().eval(), learned_skips(gates), all_convolutions)
    assert set(delta_blocks(network)) == {"2"}
    wrong = SkipGates({"0": [7, 3, 3]}, threshold=0.5)
    with pytest.raises(ValueError, match=r"learned from 7 channels, and it reads 3"):
        convert(Net().eval(), learned_skips(wrong), all_convolutions)
    with pytest.raises(ValueError, match="gates is a Conv2d; expected gates that a training of method"):
        learned_skips(nn.Conv2d(1, 1, 1))
    with pytest.raises(ValueError, match="1 layers for 3 gates"):
        build(classes=3, layers={"0": [3, 3, 3]})
    with pytest.raises(ValueError, match=r"threshold 0 that a learned gate begins with must be above 0"):
        LearnedGate(1, (1, 1), threshold=0)
