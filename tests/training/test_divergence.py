"""Numbers that are not finite stop a training with step, layer and last checkpoint; weights stay."""

import pytest
import torch
from torch import nn
from training.toy_trainings import TRAINEES, distill_trainee, per_frame_trainee, run

from deltadistill.processes.checkpoint import Checkpoint
from deltadistill.training.divergence import first_layer_not_finite, parameters_not_finite


class _Spoil(nn.Module):
    """Divides by zero from its call number `after` on."""

    def __init__(self, after):
        super().__init__()
        self.calls, self.after = 0, after

    def forward(self, x):
        self.calls += 1
        return x / (0.0 if self.calls > self.after else 1.0)


class _SpoilGradient(nn.Module):
    def forward(self, x):
        y = x * 1.0
        y.register_hook(lambda gradient: gradient * float("nan"))
        return y


def spoiled(make, position, layer):
    trainee = make()
    trainee.network.insert(position, layer)
    return trainee


def test_the_message_names_step_layer_and_checkpoint(tmp_path):
    trainee = spoiled(per_frame_trainee, 3, _Spoil(after=6))
    checkpoint = Checkpoint(tmp_path, minutes=0)
    with pytest.raises(FloatingPointError) as caught:
        run(trainee, 1, checkpoint=checkpoint)
    message = str(caught.value)
    assert message.startswith("step 7: the loss is nan; the first layer without finite output is 3;")
    assert message.endswith(f"The last checkpoint is kept: {checkpoint.path}")
    saved = checkpoint.load()
    assert saved["steps_done"] == 6
    assert all(value.isfinite().all() for value in saved["trainee"]["network"].values())


@pytest.mark.parametrize("kind", ["delta", "feature"])
def test_it_names_the_layer_of_a_delta_network(kind):
    make, frames = TRAINEES[kind]
    trainee = make()
    with torch.no_grad():
        trainee.network[0].weight[:] = 1e38
    with pytest.raises(FloatingPointError, match=r"step 1: the loss is nan; the first layer .* is 0;"):
        run(trainee, frames)


def test_without_a_checkpoint_it_says_so():
    with pytest.raises(FloatingPointError, match=r"step 1: .* There is no checkpoint yet"):
        run(spoiled(per_frame_trainee, 0, _Spoil(after=0)), 1)


def test_a_gradient_that_is_not_finite_leaves_the_weights_as_they_were():
    trainee = spoiled(per_frame_trainee, 3, _SpoilGradient())
    before = {name: value.clone() for name, value in trainee.network.named_parameters()}
    with pytest.raises(FloatingPointError, match=r"step 1: the gradient of 1\.bias is not finite; all"):
        run(trainee, 1)
    assert all(torch.equal(value, before[name]) for name, value in trainee.network.named_parameters())


def test_weights_that_are_not_finite_already_are_named():
    trainee = distill_trainee()
    with torch.no_grad():
        trainee.network[1].weight[2] = float("nan")
    with pytest.raises(FloatingPointError, match=r"1\.weight of the network holds NaN or infinity already"):
        run(trainee, 2)


def test_a_learning_rate_beyond_all_bounds_stops_the_training():
    with pytest.raises(FloatingPointError, match=r"step \d+: .*lower the learning rate"):
        run(per_frame_trainee(rate=1e30), 1)


def test_the_first_layer_is_the_one_that_breaks_and_not_one_after_it():
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), _Spoil(after=0)), nn.Linear(2, 2))
    assert first_layer_not_finite(network, lambda: network(torch.ones(1, 2))) == "1.1"
    assert parameters_not_finite(network) == []
    assert not any(layer._forward_hooks for layer in network.modules())


def test_where_all_is_finite_there_is_no_such_layer():
    network = nn.Sequential(nn.Linear(2, 2))
    assert first_layer_not_finite(network, lambda: network(torch.ones(1, 2))) is None
