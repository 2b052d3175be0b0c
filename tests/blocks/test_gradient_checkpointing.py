"""Networks that compute parts of themselves again in the backward pass: right, or refused in one sentence."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks, seat_of


class Checkpointed(nn.Sequential):
    """Computes its middle again in the backward pass."""

    reentrant = None  # None: not at all

    def forward(self, x):
        first, *middle, last = self
        inner = nn.Sequential(*middle)
        x = first(x)
        x = inner(x) if self.reentrant is None else checkpoint(inner, x, use_reentrant=self.reentrant)
        return last(x)


def delta_network(reentrant):
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, 8, 3), nn.Conv2d(8, 6, (3, 1)), nn.Tanh(), nn.Conv2d(6, 8, 3), nn.Conv2d(8, 2, 1)]
    network = dd.convert(Checkpointed(*layers).eval(), dd.LinearStudent(gamma=2, initialisation="random"))
    for block in delta_blocks(network).values():
        block.decide("compressed")
    network.reentrant = reentrant
    return network


def gradients(network, loss):
    network.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.fixture
def clip():
    return torch.randn(2, 3, 3, 10, 8, generator=torch.Generator().manual_seed(0))


def test_streams_and_clips_without_gradient_do_not_mind(clip):
    plain, checkpointed = delta_network(None), delta_network(False)
    with torch.no_grad():
        expected = dd.forward_clip(plain, clip)
        torch.testing.assert_close(dd.forward_clip(checkpointed, clip), expected)
    stream = dd.Stream(checkpointed, period=3)
    for t in range(3):
        torch.testing.assert_close(stream(clip[:, t]), expected[:, t])


@pytest.mark.parametrize("reentrant", [False, True])
def test_the_backward_pass_of_a_clip_is_refused_before_it_takes_the_teacher_for_the_student(reentrant, clip):
    network = delta_network(reentrant)
    output = dd.forward_clip(network, clip)
    with pytest.raises(RuntimeError, match=r"the block '\d' runs again .*switch checkpointing off"):
        output.square().mean().backward()


@pytest.mark.parametrize("reentrant", [False, True])
def test_frames_by_themselves_may_be_computed_again(reentrant, clip):
    """Also after clips, whose outputs are still there, and after a backward pass that was refused."""
    plain, checkpointed, frame = delta_network(None), delta_network(reentrant), clip[:, 0]
    expected = gradients(plain, plain(frame).square().mean())
    for _ in range(2):
        ours = gradients(checkpointed, checkpointed(frame).square().mean())
        assert ours.keys() == expected.keys()
        for name, gradient in ours.items():
            torch.testing.assert_close(gradient, expected[name])
        output = dd.forward_clip(checkpointed, clip)
        with pytest.raises(RuntimeError, match="runs again"):
            output.sum().backward()


def test_clips_of_a_network_without_checkpoints_have_the_gradients_they_had(clip):
    """What refuses recomputation changes no gradient, also of two clips in one backward pass, taken twice."""
    network = delta_network(None)
    losses = [dd.forward_clip(network, part).square().mean() for part in clip.split(1)]
    once = gradients(network, sum(dd.forward_clip(network, part).square().mean() for part in clip.split(1)))
    network.zero_grad()
    sum(losses).backward(retain_graph=True)
    sum(losses).backward()
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, 2 * once[name])
    assert not seat_of(network)._clip_backwards  # a long training must not gather them


def test_students_whose_errors_alone_are_learnt_from_are_refused_too(clip):
    network = delta_network(False)
    with pytest.raises(RuntimeError, match="runs again"):
        dd.distill(network, clip, steps=1, progress=False)
