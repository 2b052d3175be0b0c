"""Mixed precision: what is computed in which type, what learns, and how float16 scales its gradients."""

import pytest
import torch
from torch import nn
from training.toy_trainings import Brightness, distill_trainee, per_frame_trainee, run, small_network

from deltadistill.blocks.sessions import CallError
from deltadistill.processes.group import ALONE
from deltadistill.training import optimiser as optimisers
from deltadistill.training.batch_norm import SharedBatchNorm2d
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimiser import Course
from deltadistill.training.precision import Precision

BFLOAT16 = Precision("bfloat16")


def test_passes_compute_in_bfloat16_and_losses_take_float32():
    network, seen = small_network(), []
    network[3].register_forward_hook(lambda *arguments: seen.append(arguments[2].dtype))
    with BFLOAT16.passes():
        output = network(torch.randn(1, 3, 8, 8))
    assert seen == [torch.bfloat16]
    assert BFLOAT16.outputs({"out": [output], "count": 3})["out"][0].dtype == torch.float32
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def test_in_float32_nothing_is_touched():
    output = torch.zeros(2, dtype=torch.float64)
    with Precision().passes():
        assert not torch.is_autocast_enabled("cpu")
    assert Precision().outputs(output) is output


def test_weights_that_a_pass_without_gradient_has_used_still_learn():
    layer = nn.Conv2d(3, 2, 1)
    with BFLOAT16.passes():
        with torch.no_grad():
            layer(torch.ones(1, 3, 2, 2))
        layer(torch.ones(1, 3, 2, 2)).sum().backward()
    assert layer.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("make", "frames"), [(per_frame_trainee, 1), (distill_trainee, 2)])
def test_a_step_is_close_to_that_in_float32_and_all_that_learns_there_learns(make, frames):
    exact, coarse = make(), make(precision=BFLOAT16)
    batch = Brightness(frames)[0]
    rows = [trainee.step(3, batch) for trainee in (exact, coarse)]
    assert rows[1] == pytest.approx(rows[0], rel=0.05, abs=1e-3)
    assert rows[1]["loss"] != rows[0]["loss"]
    learnt = [
        {name for name, p in trainee.network.named_parameters() if p.grad is not None}
        for trainee in (exact, coarse)
    ]
    assert learnt[0] == learnt[1]


def test_errors_are_summed_in_float32():
    """65,536 squares of 2 are 4 · 2¹⁶, more than float16 holds and than bfloat16 adds up."""
    target = torch.full((256, 256), 2.0, dtype=torch.float16)
    error = CallError.of(torch.zeros_like(target), target)
    assert error.squared.item() == error.energy.item() == 4 * 2**16


def test_shared_batch_norm_sums_in_float32_and_returns_what_it_was_given():
    norm = SharedBatchNorm2d.like(nn.BatchNorm2d(2), ALONE)
    x = torch.randn(4, 2, 3, 3) + 5
    expected = norm(x)
    found = norm(x.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0)


def test_float16_is_refused_without_a_gpu_and_unknown_types_always():
    with pytest.raises(ValueError, match=r"float16 needs a GPU.*bfloat16 or float32"):
        Precision("float16")
    with pytest.raises(ValueError, match=r"'int8' is unknown; allowed: 'float32', 'bfloat16', 'float16'"):
        Precision("int8")


class _Scaled(Precision):
    """float16's way with gradients, on the processor."""

    def scaler(self):
        return torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)


def optimised_of(precision):
    weight = nn.Linear(1, 1, bias=False)
    nn.init.constant_(weight.weight, 1.0)
    optimiser = optimisers.build("sgd", [(weight.parameters(), 0.5)], weight_decay=0, momentum=0)
    return OptimisedNetwork(weight, optimiser, Course(9, "constant"), clip_norm=0.25, precision=precision)


def step(optimised, factor):
    return optimised.step(0, [{"loss": (optimised.network.weight * factor).sum()}])


def test_scaled_gradients_make_the_same_step_also_where_they_are_clipped():
    optimised = optimised_of(_Scaled())
    assert step(optimised, 3.0) == {"loss": 3.0}
    assert optimised.network.weight.item() == pytest.approx(1 - 0.5 * 0.25)


def test_a_gradient_too_large_for_the_scale_changes_nothing_but_the_scale():
    optimised = optimised_of(_Scaled())
    parameter = optimised.network.weight
    loss = (parameter * 1e38).sum()  # times 4: more than float32 holds
    optimised.step(0, [{"loss": loss}])
    assert parameter.item() == 1.0
    assert optimised.scaler.get_scale() == 2.0


def test_a_gradient_that_no_scale_makes_finite_ends_the_training():
    optimised = optimised_of(_Scaled())
    parameter = optimised.network.weight
    parameter.register_hook(lambda gradient: gradient * float("inf"))
    for _ in range(2):  # 4 → 2 → 1
        step(optimised, 1.0)
    with pytest.raises(FloatingPointError, match="the gradient of weight is not finite"):
        step(optimised, 1.0)
    assert parameter.item() == 1.0


def test_a_resumed_training_goes_on_with_the_scale():
    optimised, resumed = optimised_of(_Scaled()), optimised_of(_Scaled())
    for _ in range(3):  # doubles after two good steps
        step(optimised, 1.0)
    resumed.restore(optimised.state())
    assert resumed.scaler.get_scale() == 8.0
    step(optimised, 1.0)
    step(resumed, 1.0)
    assert resumed.scaler.state_dict() == optimised.scaler.state_dict()


def test_the_distillation_loss_ends_when_it_should():
    curve = run(distill_trainee(alpha_steps=5), 2).curve
    assert [row["distillation"] > 0 for row in curve] == [True] * 5 + [False] * 7
    assert curve[7]["loss"] == pytest.approx(curve[7]["task"])
