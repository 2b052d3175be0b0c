"""With an example a converted network is compared with its original, per frame, before it is handed out."""

import logging

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.conversion.comparison import all_close, run_before

STUDENT = dd.LinearStudent(gamma=4)
FRAMES = torch.rand(2, 3, 15, 12, generator=torch.Generator().manual_seed(0))


class Chain(nn.Module):
    """Four convolutions, of which `runs` chooses those that run."""

    def __init__(self, runs):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Conv2d(c, 16, (3, 2)) for c in (3, 16, 16, 16))
        self.runs = runs

    def forward(self, x):
        for layer in self.layers:
            if self.runs(layer):
                x = layer(x)
        return x


def is_exactly_a_convolution(layer):
    return type(layer) is nn.Conv2d


def convert(network, where=dd.inner_convolutions, example=FRAMES):
    return dd.convert(network.eval(), STUDENT, where, example=example)


def test_a_network_that_passes_over_its_blocks_is_refused_with_their_names():
    with pytest.raises(
        ValueError, match=r"passes over 2 of 2 layers .*\['layers.1', 'layers.2'\].*isinstance"
    ):
        convert(Chain(is_exactly_a_convolution))


def test_layers_that_the_network_never_called_are_no_reason_to_refuse_it():
    network = Chain(lambda layer: layer.out_channels != 8)
    network.layers[2] = nn.Conv2d(16, 8, 3)
    delta = convert(network)
    assert list(delta_blocks(delta)) == ["layers.1"]
    assert "never called" in {row.name: row.reason for row in dd.conversion_report(delta)}["layers.2"]


def test_many_layers_are_counted_and_the_first_are_named():
    network = Chain(is_exactly_a_convolution)
    network.layers.extend(nn.Conv2d(16, 16, 1) for _ in range(6))
    with pytest.raises(ValueError, match=r"passes over 8 of 8 .* and 3 more"):
        convert(network)


def test_a_layer_that_runs_fewer_times_than_before_is_named():
    class Again(Chain):
        def forward(self, x):
            x = super().forward(x)
            return self.layers[1](x) if type(self.layers[1]) is nn.Conv2d else x

    with pytest.raises(ValueError, match=r"passes over 1 of 2 .*'layers.1'"):
        convert(Again(lambda _: True))


def test_other_outputs_are_refused_though_every_block_runs():
    class Doubles(Chain):
        def forward(self, x):
            return super().forward(x) * (2 if type(self.layers[1]) is nn.Conv2d else 1)

    with pytest.raises(ValueError, match="other outputs per frame"):
        convert(Doubles(lambda _: True))


def test_a_network_that_changes_its_input_in_place_is_compared_on_equal_frames():
    class Shifts(Chain):
        def forward(self, x):
            return super().forward(x.sub_(5.0))

    example = FRAMES.clone()
    assert len(delta_blocks(convert(Shifts(lambda _: True), example=example))) == 2
    assert torch.equal(example, FRAMES)


def test_noise_is_drawn_alike_in_both_and_the_callers_generator_stays():
    class Noisy(Chain):
        def forward(self, x):
            x = super().forward(x)
            return x + torch.rand_like(x)

    network = Noisy(lambda _: True).eval()
    before = run_before(network, {"middle": network.layers[1]}, FRAMES)
    state = torch.random.get_rng_state()
    again = run_before(network, {"middle": network.layers[1]}, FRAMES)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(before.outputs[0], again.outputs[0])
    assert len(delta_blocks(convert(network))) == 2


def test_a_network_that_never_does_the_same_twice_is_converted_and_the_log_says_so(caplog):
    class Counts(Chain):
        def __init__(self, runs):
            super().__init__(runs)
            self.frames = 0

        def forward(self, x):
            self.frames += 1
            return super().forward(x) * self.frames

    with caplog.at_level(logging.WARNING):
        assert len(delta_blocks(convert(Counts(lambda _: True)))) == 2
    assert "differ from run to run" in caplog.text


@pytest.mark.parametrize(
    ("one", "other", "close"),
    [
        ([torch.tensor([1.0, 2.0])], [torch.tensor([1.0, 2.0 + 1e-6])], True),
        ([torch.tensor([1.0, 2.0])], [torch.tensor([1.0, 2.1])], False),
        ([torch.tensor([1.0, -2.0])], [torch.tensor([1.0, 2.0])], False),
        ([torch.tensor([float("nan")])], [torch.tensor([float("nan")])], True),
        ([torch.zeros(2, 3)], [torch.zeros(3, 2)], False),
        ([torch.zeros(2)], [torch.zeros(2), 1], False),
        ([torch.tensor([3, 4])], [torch.tensor([3, 5])], False),
        ([torch.tensor([1 + 1j])], [torch.tensor([1 - 1j])], False),
        ([None, 3], [None, 3], True),
        ([None], [torch.zeros(1)], False),
    ],
)
def test_outputs_are_close_where_all_their_leaves_are(one, other, close):
    assert all_close(one, other) == close
