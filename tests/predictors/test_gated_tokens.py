"""Token gates over streams: exact where all that changed is computed, and counted by hand."""

import pytest
import torch
from small_transformers import FAMILIES, PATCHES, SIZE, WIDTH, transformer

import deltadistill as dd
from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.blocks.token_gate_rule import TokenGate, TokenGateRule, gated_macs
from deltadistill.models.vit_form import vit_form
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, build


class AsItIs:
    def predict(self, output, *, network):
        return output


def frames(count, streams=2):
    draws = torch.Generator().manual_seed(0)
    return [
        FrameBatch(torch.randint(256, (streams, *SIZE), dtype=torch.uint8, generator=draws))
        for _ in range(count)
    ]


def gated(network, threshold, streams=2, period=9):
    predictor = build("gated_tokens", network, AsItIs(), options={"threshold": threshold})
    predictor.begin(StreamInfo(streams, SIZE[1:], schedule=FixedPeriod(period)))
    return predictor


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_the_answer_is_the_networks_where_everything_that_changed_is_computed(family):
    network = transformer(family)
    predictor = gated(network, 0.0)
    for each in frames(3):
        torch.testing.assert_close(predictor.answer(each), network(each.normalised))


@torch.no_grad()
def test_above_every_change_a_frame_is_answered_as_the_key_frame_but_for_the_residual_stream():
    network, (first, second, third) = transformer("timm"), frames(3)
    predictor = gated(network, 1e6, period=2)
    predictor.answer(first)
    form = vit_form(network)
    # what attention and MLP of the key frame added stays, on top of what is embedded now
    added = form.encode(form.embed(first.normalised)) - form.embed(first.normalised)
    wanted = form.output(form.embed(second.normalised) + added)
    torch.testing.assert_close(predictor.answer(second), wanted)
    torch.testing.assert_close(predictor.answer(third), network(third.normalised))  # a key frame


def test_a_still_frame_costs_its_embedding_and_the_gates_and_one_where_all_changed_a_whole_frame():
    network, (first, second) = transformer("torchvision"), frames(2)
    whole = dd.count_macs(network, SIZE).teacher
    predictor, costs = gated(network, 0.0), {MAIN: FrameCosts(Cost(macs=whole), Cost())}
    found = []
    for each in (first, first, second):
        predictor.answer(each)
        found.append(predictor.last_cost(costs).macs)
    gates = 2 * 3 * (PATCHES + 1) * WIDTH
    assert found == [whole, PATCHES * 192 * WIDTH + WIDTH * 5 + gates, whole + gates - 2 * _unchanged()]
    assert predictor.costs(costs).delta.macs == whole
    assert predictor.state_bytes == 4 * 2 * 2 * (3 * 17 * WIDTH + 2 * 3)  # of 2 streams, 2 blocks


def _unchanged():
    """What the first block saves as the class token enters it unchanged; the second changes in all tokens."""
    heads = 3 * WIDTH**2
    return (heads + WIDTH) / 2  # and its score with itself; all sums are made anew, as 16 of 17 changed


def test_macs_of_one_changed_token_of_four_by_hand():
    block = transformer("torchvision").encoder.layers[0]
    tokens = torch.zeros(1, 4, WIDTH)
    renewed = torch.tensor([[1.0, 2.0, 3.0]])
    state = (tokens, tokens, tokens, torch.zeros(1, 3), renewed)
    # scores: 16 − 9 pairs; values: a row of 4, and 3 rows with one out and one in
    wanted = 3 * WIDTH**2 + (7 + 4 + 6) * WIDTH + 2 * WIDTH**2 + 3 * 8 * WIDTH**2 + 3 * 4 * WIDTH
    assert gated_macs(block, state) == wanted


@torch.no_grad()
def test_a_token_that_changed_by_less_than_its_level_keeps_its_reference_until_changes_add_up():
    block = transformer("torchvision").encoder.layers[0]
    network = dd.convert(block, TokenGate(0.05), lambda network: [""])
    rule, x = TokenGateRule(0.05), torch.randn(1, 4, WIDTH, generator=torch.Generator().manual_seed(0))
    state = rule.key(network, x)[1]
    moved, counts = x.clone(), []
    for _ in range(6):
        moved[:, 1] += 0.02 * torch.randn(WIDTH, generator=torch.Generator().manual_seed(1))
        state = rule.delta(network, moved, state)[1]
        counts.append(state[-1][0, 0].item())
    assert counts == [0, 1, 0, 1, 0, 1]  # two changes are enough
    assert not torch.equal(state[0][:, 1], rule.key(network, x)[1][0][:, 1])
    assert torch.equal(state[0][:, 2], rule.key(network, x)[1][0][:, 2])


def test_what_has_no_blocks_of_a_transformer_and_a_threshold_below_nothing_are_refused():
    with pytest.raises(ValueError, match="nothing was converted"):
        gated(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1)), 0.1)
    with pytest.raises(ValueError, match=r"threshold -0\.1 of token gates must be at least 0"):
        gated(transformer("timm"), -0.1)
