"""Batch norm that processes share; that two of them learn as one is tested in tests/distributed."""

import copy

import pytest
import torch
from torch import nn

from deltadistill.processes.group import ALONE, Group
from deltadistill.training.batch_norm import SharedBatchNorm2d, synchronised_batch_norm


def made(**options):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3, **options).double()
    if norm.affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return norm, SharedBatchNorm2d.like(copy.deepcopy(norm), ALONE)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": None},
        {"affine": False},
        {"track_running_stats": False},
        {"eps": 0.1, "momentum": 0.3},
    ],
)
def test_it_computes_what_batch_norm_computes(options):
    theirs, ours = made(**options)
    for step in range(3):
        torch.manual_seed(step)
        x = torch.randn(4, 3, 5, 2, dtype=torch.float64, requires_grad=True)
        y = x.detach().clone().requires_grad_()
        weights = torch.randn(4, 3, 5, 2, dtype=torch.float64)
        (theirs(x) * weights).sum().backward()
        (ours(y) * weights).sum().backward()
        torch.testing.assert_close(y.grad, x.grad)
        torch.testing.assert_close(ours(y), theirs(x))
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    theirs.eval()
    ours.eval()
    torch.testing.assert_close(ours(x), theirs(x))


def test_parameters_stay_the_optimisers_and_names_stay():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ModuleDict({"norm": nn.BatchNorm2d(3)}))
    before = dict(network.named_parameters())
    shared = synchronised_batch_norm(network, Group(0, 2))
    assert isinstance(shared[1]["norm"], SharedBatchNorm2d)
    assert all(value is before[name] for name, value in shared.named_parameters())
    assert list(shared.state_dict()) == list(network.state_dict())


def test_alone_a_network_stays_as_it_is():
    network = nn.Sequential(nn.BatchNorm2d(3))
    assert synchronised_batch_norm(network, ALONE) is network
    assert type(network[0]) is nn.BatchNorm2d
