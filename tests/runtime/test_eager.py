"""The eager engine: two functions without state, equal to a Stream, with one map per linear student."""

import pytest
import torch
from architectures import ARCHITECTURES, build
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.runtime.engine import load

FRAMES = 4
DEAR = dd.LinearStudent(keep_dearer=True)


def frames(channels: int = 3, size: tuple[int, int] = (32, 64)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    still = torch.rand(2, channels, *size, generator=generator, dtype=torch.float64)
    moves = torch.rand(FRAMES, 2, channels, *size, generator=generator, dtype=torch.float64)
    return still + 0.2 * moves


def converted(network: nn.Module, students, **settings) -> nn.Module:
    """Converted, with every second block's choice the uncompressed candidate, and no student at zero."""
    network = dd.convert(network.double().eval(), students, **settings)
    torch.manual_seed(0)
    for number, block in enumerate(delta_blocks(network).values()):
        block.decide(("compressed", "uncompressed")[number % 2])
        for parameter in block.student_parameters():
            nn.init.normal_(parameter, std=0.05)
    return network


def streamed(network, clip, *, period: int) -> list:
    stream = dd.Stream(network, period=period)
    return [stream(frame) for frame in clip]


def by_engine(network, clip, *, period: int) -> list:
    running = load(network, clip[0])
    outputs, maps = [], {}
    for number, frame in enumerate(clip):
        if number % period == 0:
            output, maps = running.key(frame)
        else:
            output = running.delta(frame, maps)
        outputs.append(output)
    return outputs


DESIGNS = {
    "linear": lambda network: converted(network, DEAR, where=dd.all_layers),
    "feature": lambda network: converted(network, dd.LinearStudent(), predicts="feature"),
    "channel": lambda network: converted(network, dd.ChannelStudent(), where=dd.residual_blocks),
}
CASES = [*(("linear", name) for name in ARCHITECTURES), ("feature", "hrnet"), ("channel", "ddrnet")]


@pytest.mark.parametrize("period", [1, 3])
@pytest.mark.parametrize(("design", "architecture"), CASES)
def test_frame_for_frame_it_is_a_stream(architecture, design, period):
    network = DESIGNS[design](build(architecture))
    clip = frames()
    expected = streamed(network, clip, period=period)
    torch.testing.assert_close(by_engine(network, clip, period=period), expected, rtol=1e-9, atol=1e-9)


def test_a_linear_student_leaves_the_one_map_c0_and_a_later_frame_adds_to_it():
    network = converted(_one_number(weight=3.0, bias=1.0), DEAR, where=dd.all_convolutions).float()
    (block,) = delta_blocks(network).values()
    block.decide("uncompressed")
    nn.init.constant_(block.uncompressed.weight, 2.0)  # g(x) = 2x
    running = load(network, torch.zeros(1, 1, 1, 1))
    output, maps = running.key(torch.full((1, 1, 1, 1), 5.0))
    assert output.item() == 16.0  # z_0 = 3·5 + 1
    assert {name: value.item() for name, value in maps.items()} == {"conv.c_0": 6.0}  # 16 − 2·5
    assert running.delta(torch.full((1, 1, 1, 1), 4.0), maps).item() == 14.0  # 6 + 2·4 = 16 + 2·(4 − 5)
    assert maps["conv.c_0"].item() == 6.0


def test_two_videos_may_take_turns():
    network = DESIGNS["linear"](build("ddrnet"))
    running = load(network, frames()[0])
    one, other = frames(), frames().flip(0)
    kept = [running.key(clip[0])[1] for clip in (one, other)]
    turns = [running.delta(clip[1], maps) for clip, maps in zip((one, other), kept, strict=True)]
    expected = [streamed(network, clip[:2], period=2)[1] for clip in (one, other)]
    torch.testing.assert_close(turns, expected, rtol=1e-9, atol=1e-9)


def test_a_block_that_runs_twice_has_maps_of_each_call():
    network = dd.convert(_Twice(), DEAR, where=dd.all_convolutions).eval()
    frame = torch.rand(1, 2, 3, 3)
    assert sorted(load(network, frame).key(frame)[1]) == ["conv#1.c_0", "conv.c_0"]


def test_what_it_does_not_run_is_refused_with_what_to_do():
    network = dd.convert(_one_number(1.0, 0.0), DEAR, where=dd.all_convolutions)
    frame = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match="no converted blocks"):
        load(nn.Conv2d(1, 1, 1), frame)
    with pytest.raises(ValueError, match="training mode; call eval"):
        load(network.train(), frame)
    running = load(network.eval(), frame)
    with pytest.raises(
        ValueError, match=r"shape \(1, 1, 2, 3\), where the engine was loaded for \(1, 1, 2, 2\)"
    ):
        running.key(torch.zeros(1, 1, 2, 3))
    with pytest.raises(ValueError, match=r"1 of 1 maps are missing, 'conv.c_0' among them"):
        running.delta(frame, {})
    with pytest.raises(ValueError, match="engine 'quick' is unknown; allowed: eager, or one of your own"):
        load(network, frame, engine="quick")


def _one_number(weight: float, bias: float) -> nn.Module:
    network = nn.Sequential()
    network.add_module("conv", nn.Conv2d(1, 1, 1))
    nn.init.constant_(network.conv.weight, weight)
    nn.init.constant_(network.conv.bias, bias)
    return network.eval()


class _Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return self.conv(self.conv(x))
