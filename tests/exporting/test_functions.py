"""The functions of a delta network: without state, equal to a Stream, with one map per linear student."""

import pytest
import torch
from architectures import ARCHITECTURES, build
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.delta_rule import DeltaRule
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.structure import flatten

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


def by_functions(network, clip, *, period: int) -> list:
    functions = delta_functions(network, clip[0])
    count, outputs, maps = len(functions.outputs), [], ()
    for number, frame in enumerate(clip):
        if number % period == 0:
            made = functions.key(frame)
            output, maps = made[:count], made[count:]
        else:
            output = functions.delta(frame, *maps)
        outputs.append(list(output))
    return outputs


DESIGNS = {
    "linear": lambda network: converted(network, DEAR, where=dd.all_layers),
    "feature": lambda network: converted(network, dd.LinearStudent(), predicts="feature"),
    "channel": lambda network: converted(network, dd.ChannelStudent(), where=dd.residual_blocks),
    "reduced": lambda network: converted(network, dd.ReducedResolution(), where=dd.whole_network),
}
OTHERS = [("feature", "hrnet"), ("channel", "ddrnet"), ("reduced", "ddrnet")]
CASES = [*(("linear", name) for name in ARCHITECTURES), *OTHERS]


@pytest.mark.parametrize("period", [1, 3])
@pytest.mark.parametrize(("design", "architecture"), CASES)
def test_frame_for_frame_they_are_a_stream(architecture, design, period):
    network = DESIGNS[design](build(architecture))
    clip = frames()
    expected = [flatten(output)[0] for output in streamed(network, clip, period=period)]
    torch.testing.assert_close(by_functions(network, clip, period=period), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_frame_function_is_the_network_per_frame(architecture):
    network = DESIGNS["linear"](build(architecture))
    (frame, *_) = frames()
    expected = flatten(network(frame))[0]
    made = delta_functions(network, frame).frame(frame)
    torch.testing.assert_close(list(made), expected, rtol=1e-9, atol=1e-9)


def test_a_linear_student_leaves_the_one_map_c0_and_a_later_frame_adds_to_it():
    network = converted(_one_number(weight=3.0, bias=1.0), DEAR, where=dd.all_convolutions).float()
    (block,) = delta_blocks(network).values()
    block.decide("uncompressed")
    nn.init.constant_(block.uncompressed.weight, 2.0)  # g(x) = 2x
    functions = delta_functions(network, torch.zeros(1, 1, 1, 1))
    output, c_0 = functions.key(torch.full((1, 1, 1, 1), 5.0))
    assert list(functions.maps) == ["conv.c_0"]
    assert output.item() == 16.0  # z_0 = 3·5 + 1
    assert c_0.item() == 6.0  # 16 − 2·5
    (later,) = functions.delta(torch.full((1, 1, 1, 1), 4.0), c_0)
    assert later.item() == 14.0  # 6 + 2·4 = 16 + 2·(4 − 5)
    assert c_0.item() == 6.0


def test_an_uncompressed_student_with_its_teachers_kernel_needs_no_map():
    network = dd.convert(_one_number(3.0, 1.0), DEAR, where=dd.all_convolutions).eval()
    (block,) = delta_blocks(network).values()
    block.decide("uncompressed")
    functions = delta_functions(network, torch.zeros(1, 1, 1, 1))
    assert functions.maps == {}
    assert functions.delta(torch.full((1, 1, 1, 1), 4.0))[0].item() == 13.0  # 3·4 + 1


def test_two_videos_may_take_turns():
    network = DESIGNS["linear"](build("ddrnet"))
    functions = delta_functions(network, frames()[0])
    one, other = frames(), frames().flip(0)
    kept = [functions.key(clip[0])[len(functions.outputs) :] for clip in (one, other)]
    turns = [functions.delta(clip[1], *maps)[0] for clip, maps in zip((one, other), kept, strict=True)]
    expected = [streamed(network, clip[:2], period=2)[1] for clip in (one, other)]
    torch.testing.assert_close(turns, expected, rtol=1e-9, atol=1e-9)


def test_a_block_that_runs_twice_has_maps_of_each_call():
    network = dd.convert(_Twice(), DEAR, where=dd.all_convolutions).eval()
    (block,) = delta_blocks(network).values()
    nn.init.normal_(block.compressed[0].weight)
    block.decide("compressed")
    functions = delta_functions(network, torch.rand(1, 2, 3, 3))
    assert sorted(functions.maps) == ["conv#1.c_0", "conv.c_0"]


def test_the_network_stays_as_it_was_and_changes_of_it_are_not_seen():
    network = DESIGNS["linear"](build("ddrnet"))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    functions = delta_functions(network, frames()[0])
    assert functions.folded
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    expected = functions.frame(frames()[0])[0].clone()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(functions.frame(frames()[0])[0], expected)


def test_a_network_in_training_is_refused():
    network = dd.convert(_one_number(1.0, 0.0), DEAR, where=dd.all_convolutions)
    with pytest.raises(ValueError, match="training mode; call eval"):
        delta_functions(network.train(), torch.zeros(1, 1, 2, 2))


def test_outputs_that_no_graph_can_return_are_named():
    class Result:
        pass

    network = dd.convert(_one_number(1.0, 0.0), DEAR, where=dd.all_convolutions).eval()
    with pytest.raises(ValueError, match=r"returns Result, which no graph can; .*give run="):
        delta_functions(network, torch.zeros(1, 1, 2, 2), run=lambda network, frame: Result())


def test_a_plain_network_is_itself_on_every_frame():
    network = _one_number(2.0, 1.0)
    functions = delta_functions(network, torch.zeros(1, 1, 1, 1))
    assert functions.maps == {}
    three = torch.full((1, 1, 1, 1), 3.0)
    assert [f(three)[0].item() for f in (functions.frame, functions.key, functions.delta)] == [7.0] * 3


def test_a_rule_that_changes_its_state_is_refused_by_the_name_of_its_block():
    network = dd.convert(_one_number(1.0, 0.0), DEAR, where=dd.all_convolutions).eval()
    (block,) = delta_blocks(network).values()
    block.rule = _Telescoping()
    frame = torch.zeros(1, 1, 2, 2)
    functions = delta_functions(network, frame)
    with pytest.raises(ValueError, match=r"the block 'conv' changes its state .*dd.Stream runs this network"):
        functions.delta(frame, *functions.maps.values())


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


class _Telescoping(DeltaRule):
    """Deltas relative to the frame before."""

    def delta(self, parts, x, state):
        z, state = super().delta(parts, x, state)
        return z, self.state_of(parts, x, z)
