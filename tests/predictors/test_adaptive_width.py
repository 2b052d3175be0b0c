"""Adaptive width as a predictor: it answers as the stream does, and costs what its tokens ran."""

import pytest
import torch
from predictors.test_gated_tokens import AsItIs, frames
from small_transformers import PATCHES, SIZE, WIDTH, transformer

import deltadistill as dd
from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.predictors.frame_batch import StreamInfo
from deltadistill.predictors.predictor import MAIN, build

TOKENS = PATCHES + 2  # a class token and a register
HIDDEN = 4 * WIDTH


def adaptive(*, decided=("compressed", "compressed"), bias=None):
    torch.manual_seed(0)
    network = dd.convert(transformer("timm"), dd.AdaptiveWidth(learners=4, gate=2), dd.transformer_mlps)
    for block, candidate in zip(delta_blocks(network).values(), decided, strict=True):
        block.decide(candidate)
        if bias is not None:
            torch.nn.init.zeros_(block.compressed.gate[-1].bias)
            block.compressed.gate[-1].bias.data[bias] = 1.0
    return network


def begun(network):
    predictor = build("adaptive_width", network, AsItIs(), options={})
    predictor.begin(StreamInfo(2, SIZE[1:], schedule=FixedPeriod(9)))
    return predictor


@pytest.mark.parametrize(("bias", "share"), [(0, 0.0), (1, 0.25), (4, 1.0)])
def test_a_later_frame_costs_what_ran_and_the_gates(bias, share):
    network, whole = adaptive(bias=bias), dd.count_macs(transformer("timm"), SIZE).teacher
    predictor, costs = begun(network), {MAIN: FrameCosts(Cost(macs=123), Cost(macs=456))}
    found = []
    for each in frames(2):
        predictor.answer(each)
        found.append(predictor.last_cost(costs).macs)
    of_mlps = 2 * TOKENS * 2 * WIDTH * HIDDEN
    gates = 2 * TOKENS * (WIDTH * 2 + 2 * 5)
    assert found == [123, whole - of_mlps + share * of_mlps + gates]
    assert predictor.costs(costs) == costs[MAIN]


@torch.no_grad()
def test_it_answers_as_the_stream_and_a_block_that_is_the_teacher_costs_that():
    network, whole = (
        adaptive(decided=("uncompressed", "compressed")),
        dd.count_macs(transformer("timm"), SIZE),
    )
    predictor, stream = begun(network), dd.Stream(network, period=9)
    costs = {MAIN: FrameCosts(Cost(), Cost())}
    for each in frames(2):
        torch.testing.assert_close(predictor.answer(each), stream(each.normalised))
    assert predictor.last_cost(costs).macs == whole.teacher + TOKENS * (WIDTH * 2 + 2 * 5)


def test_a_network_of_other_students_is_refused():
    linear = dd.convert(transformer("timm"), dd.LinearStudent(gamma=2), dd.inner_layers)
    for network in (linear, transformer("timm")):
        with pytest.raises(
            ValueError, match="predictor adaptive_width counts students of adaptive width alone"
        ):
            begun(network)
