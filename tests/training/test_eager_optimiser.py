"""Optimisers without PyTorch's compiler: the same steps as with it."""

import pytest
import torch
from torch import nn

from deltadistill.training.eager_optimiser import eager

STEPS, LATER = 3, 2
KINDS = {
    torch.optim.AdamW: {"weight_decay": 0.1, "fused": True},
    torch.optim.SGD: {"weight_decay": 0.1, "momentum": 0.9},
    torch.optim.Adam: {"weight_decay": 0.1},
}


def trained(kind, options):
    """Weights after some steps, and some more of an optimiser that goes on from the state of the first."""
    torch.manual_seed(0)
    network, frames = nn.Linear(3, 2), torch.randn(4, 3)
    optimiser = kind(network.parameters(), lr=0.1, **options)
    for step in range(STEPS + LATER):
        if step == STEPS:
            state, optimiser = optimiser.state_dict(), kind(network.parameters(), lr=0.5, **options)
            optimiser.load_state_dict(state)
        optimiser.zero_grad()
        network(frames).square().sum().backward()
        optimiser.step()
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_steps_are_those_of_pytorchs_own_bit_for_bit(kind):
    assert torch.equal(trained(eager(kind), KINDS[kind]), trained(kind, KINDS[kind]))


def test_a_step_keeps_no_history_and_runs_a_closure_with_one():
    weight = nn.Parameter(torch.tensor([2.0]))
    optimiser = eager(torch.optim.SGD)([weight], lr=0.25)

    def closure():
        optimiser.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    assert optimiser.step(closure) == 4.0  # 2²
    assert weight.is_leaf
    assert weight.item() == 1.0  # 2 − 0.25 · 2 · 2
