"""The scale map of Deep Feature Flow: what it multiplies, what it costs, and that it learns."""

import pytest
import torch
from predictors.test_deep_feature_flow import SIZE, Net, answers, batches
from torch import nn

from deltadistill import models
from deltadistill.account.network_costs import network_costs
from deltadistill.models.flow_scale import FlowScale
from deltadistill.motion.flow_macs import BILINEAR
from deltadistill.predictors.deep_feature_flow import moved_maps
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.predictor import MAIN, build
from deltadistill.tasks.segmentation import Segmentation


def test_it_begins_as_one_everywhere():
    scale = models.build("flow_scale", classes=5, reduction=4)
    assert torch.equal(scale(torch.rand(2, 3, 13, 24)), torch.ones(2, 5, 4, 6))


def test_maps_are_multiplied_by_what_the_moved_picture_misses():
    """One place a pixel, one step to the right: the moved picture is (1, 1, 2) where (1, 5, 2) is seen."""

    class Twice(nn.Module):
        def forward(self, missing):
            return 1 + 2 * missing[:, :1]

    flow = torch.zeros(1, 2, 1, 3)
    flow[:, 0] = -1  # each place was one further left
    key, seen = torch.tensor([1.0, 2, 9]), torch.tensor([1.0, 5, 2])
    pictures = [each.view(1, 1, 1, 3).expand(1, 3, 1, 3) for each in (key, seen)]
    maps = torch.tensor([10.0, 20, 30]).view(1, 1, 1, 3)
    moved = moved_maps(maps, flow, Twice(), *pictures)
    # warp: maps (10, 10, 20), picture (1, 1, 2); missing (0, 4, 0); scale (1, 9, 1)
    assert moved.flatten().tolist() == pytest.approx([10, 90, 20])
    assert moved_maps(maps, flow, None, *pictures).flatten().tolist() == pytest.approx([10, 10, 20])


def test_with_a_scale_that_has_learned_nothing_answers_are_as_without():
    torch.manual_seed(0)
    network, options = Net().eval(), {"split": "head"}
    found = [
        answers(
            build("deep_feature_flow", network, Segmentation(3), networks=networks, options=options),
            batches(3),
        )
        for networks in ({}, {"scale": FlowScale(8, reduction=2)})
    ]
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_it_costs_its_convolutions_a_product_and_a_moved_picture():
    network, scale = Net().eval(), FlowScale(8, reduction=2, hidden=4)
    predictor = build(
        "deep_feature_flow",
        network,
        Segmentation(3),
        networks={"scale": scale},
        options={"split": "head"},
    )
    answers(predictor, batches(1))
    places, flow = 32 * 48, Motions("flow", preset="fast", longest=320).macs(SIZE)
    costs = predictor.costs(network_costs({MAIN: network, "scale": scale}, (3, *SIZE)))
    own = places * 9 * (3 * 4 + 4 * 8) + places * 8 + BILINEAR * 3 * 64 * 96
    assert costs.delta.macs == flow + places * (8 * BILINEAR + 8 * 3) + own
    assert predictor.state_bytes == 4 * (places * 8 + 3 * 64 * 96)  # maps, and the picture


def test_a_scale_for_other_maps_is_refused():
    options = {"options": {"split": "head"}, "networks": {"scale": FlowScale(7, reduction=2)}}
    predictor = build("deep_feature_flow", Net().eval(), Segmentation(3), **options)
    with pytest.raises(ValueError, match="scale map has 7 channels, and the last modules read a map"):
        answers(predictor, batches(2))
