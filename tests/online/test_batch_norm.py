"""Batch norm of a student that learns from single frames, worked by hand."""

import pytest
import torch
from torch import nn

from deltadistill.online.batch_norm import learning, prepare

FRAME = torch.tensor([1.0, 3.0]).view(1, 1, 1, 2)  # mean 2, variance 1, or 2 with one degree of freedom less


@pytest.mark.parametrize(
    ("batch_norm", "mean", "variance", "learned"),
    [("frozen", 0, 1, [1, 3]), ("running", 0.2, 1.1, [-1, 1]), ("per_update", 2, 2, [-1, 1])],
)
def test_updates_and_answers_have_the_statistics_that_their_names_say(batch_norm, mean, variance, learned):
    layer = nn.BatchNorm2d(1, eps=1e-12).eval()
    prepare(layer, batch_norm)
    with learning(layer, batch_norm):
        found = layer(FRAME).flatten()
    assert found.tolist() == pytest.approx(learned)
    assert (layer.running_mean.item(), layer.running_var.item()) == pytest.approx((mean, variance))
    assert layer(FRAME).flatten().tolist() == pytest.approx([(x - mean) / variance**0.5 for x in (1, 3)])


def test_one_value_per_channel_has_no_variance_and_is_no_error():
    layer = nn.BatchNorm2d(2).eval()
    with learning(layer, "running"):
        found = layer(torch.tensor([3.0, 5.0]).view(1, 2, 1, 1))
    assert found.flatten().tolist() == pytest.approx([3, 5], rel=1e-4)
    assert layer.running_mean.tolist() == [0, 0]
    assert not layer._forward_pre_hooks


def test_a_network_without_any_learns_as_it_answers():
    assert prepare(nn.Conv2d(1, 1, 1), "running") == "frozen"
    assert prepare(nn.BatchNorm2d(1), "running") == "running"


def test_other_layers_stay_in_their_mode():
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5)).eval()
    with learning(network, "per_update"):
        network(FRAME)
        assert [layer.training for layer in network] == [True, False]
    assert [layer.training for layer in network] == [False, False]
