"""Skip-Convolutions: what is computed, what stays in the reference, and what it costs, by hand."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks import skip_rule
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.skip_gate import NormGate
from deltadistill.blocks.skip_rule import SkipConvolution, SkipRule, skip_macs


class Parts:
    def __init__(self, layer):
        self.teacher = layer


def ones(kernel=3, **settings):
    """A convolution that sums its window and adds 10."""
    layer = nn.Conv2d(1, 1, kernel, padding=kernel // 2, **settings)
    nn.init.ones_(layer.weight)
    nn.init.constant_(layer.bias, 10)
    return layer.requires_grad_(False)


def begun(layer, x, threshold):
    rule, parts = SkipRule(NormGate(threshold)), Parts(layer)
    return rule, parts, rule.state_of(parts, x, layer(x))


def changed(x, row, column, by):
    x = x.clone()
    x[..., row, column] += by
    return x


def test_a_large_change_is_computed_where_windows_see_it_and_the_bias_is_added_once():
    x = torch.ones(1, 1, 5, 5)
    rule, parts, state = begun(ones(), x, threshold=1.0)
    # one value grows by 18: averaged over its window 2, above 1 · mean |x|; its 9 windows' gates open too, so
    # that the 25 outputs around are computed
    z, (reference, _, _, positions) = rule.delta(parts, changed(x, 2, 2, 18.0), state)
    assert torch.equal(z, ones()(changed(x, 2, 2, 18.0)))
    assert z[0, 0, 2, 2] == 9 + 18 + 10
    assert reference[0, 0, 2, 2] == 19
    assert positions.tolist() == [25]


def test_what_is_dropped_stays_in_the_reference_until_it_adds_up():
    layer, x = ones(kernel=1), torch.ones(1, 1, 2, 2)
    rule, parts, state = begun(layer, x, threshold=1.0)
    found = []
    for step in (0.6, 1.2, 1.8):  # beyond the reference: 0.6, 1.2 (open), 0.6 again
        z, state = rule.delta(parts, changed(x, 0, 0, step), state)
        found.append((round(z[0, 0, 0, 0].item(), 4), state[3].item()))
    assert found == [(11.0, 0), (12.2, 1), (12.2, 0)]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 3, padding=1),
        nn.Conv2d(3, 4, (3, 1), stride=2, padding=(1, 0), bias=False),
        nn.Conv2d(3, 4, 3, dilation=2, padding=2),
        nn.Conv2d(3, 4, 3, padding="same"),
        nn.Conv2d(3, 6, 3, groups=3),
        nn.Conv2d(3, 4, 1, stride=2),
    ],
    ids=str,
)
@pytest.mark.parametrize("share", [0.05, 0.9])
def test_the_output_is_always_the_convolution_of_the_reference(layer, share):
    torch.manual_seed(0)
    layer, x = layer.requires_grad_(False), torch.randn(2, 3, 12, 14)
    rule, parts, state = begun(layer, x, threshold=0.5)
    for _ in range(3):
        x = x + torch.randn_like(x) * 3 * (torch.rand(2, 1, 12, 14) < share)
        z, state = rule.delta(parts, x, state)
        torch.testing.assert_close(z, layer(state[0]))
    assert 0 < state[3].sum() <= z[:, 0].numel()


def test_without_a_threshold_nothing_that_changed_is_skipped():
    torch.manual_seed(0)
    layer, x = nn.Conv2d(3, 4, 3, padding=1).requires_grad_(False), torch.randn(1, 3, 8, 8)
    rule, parts, state = begun(layer, x, threshold=0)
    later = changed(x, 3, 3, 1e-3)
    z, state = rule.delta(parts, later, state)
    torch.testing.assert_close(z, layer(later))
    assert state[3].tolist() == [25]
    still, state = rule.delta(parts, later, state)
    assert torch.equal(still, z)
    assert state[3].tolist() == [0]


def test_macs_are_those_of_the_computed_positions_and_of_the_gate():
    layer = nn.Conv2d(3, 4, 3, padding=1)
    state = torch.zeros(2, 3, 8, 8), torch.zeros(2, 4, 8, 8), torch.zeros(2), torch.tensor([10.0, 20.0])
    assert skip_macs(layer, SkipRule(NormGate(1)), state) == 15 * 27 * 4 + 3 * 64 + 9 * 64


def test_a_network_of_skip_convolutions_repeats_itself_in_a_still_clip():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3, padding=1)
    network = dd.convert(nn.Sequential(*layers).eval(), SkipConvolution(0.1), dd.all_convolutions)
    assert set(delta_blocks(network)) == {"0", "2"}
    stream, frame = dd.Stream(network, period=9), torch.rand(1, 3, 8, 8)
    first = stream(frame)
    assert torch.equal(first, stream(frame))
    assert torch.equal(first, network(frame))


def test_what_does_not_fit_is_refused_with_its_reason():
    design = SkipConvolution(0.1)
    assert "padding_mode 'circular'" in design.reason_against(nn.Conv2d(1, 1, 3, padding_mode="circular"))
    assert design.reason_against(nn.Linear(2, 2)) == "not a plain convolution"
    assert design.reason_against(nn.Conv2d(1, 1, 3)) is None
    assert SkipConvolution(0).rule("delta").gate.threshold == 0
    with pytest.raises(ValueError, match=r"threshold -1 of skip convolutions must be at least 0"):
        SkipConvolution(-1)


@pytest.mark.parametrize(
    ("groups", "share", "gathered"), [(1, 0.1, True), (1, 0.39, True), (1, 0.41, False), (3, 0.1, False)]
)
def test_windows_are_gathered_where_few_positions_are_computed_and_channels_are_in_one_group(
    groups, share, gathered, monkeypatch
):
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 6, 3, padding=1, groups=groups).requires_grad_(False)
    kept, computed = torch.randn(1, 3, 10, 10), torch.zeros(1, 1, 10, 10)
    computed.view(-1)[: round(100 * share)] = 1
    took, windows = [], skip_rule._windows
    monkeypatch.setattr(skip_rule, "_windows", lambda *given: took.append(given) or windows(*given))
    found = skip_rule._convolved(kept, computed, layer)
    bias = layer.bias.view(1, -1, 1, 1)
    torch.testing.assert_close(found, (layer(kept) - bias) * computed)
    assert bool(took) == gathered
