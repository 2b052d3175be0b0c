"""Inputs that are not one tensor of frames: lists, several maps, and tokens that look like frames."""

import pytest
import torch
from architectures import build
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.stored.architecture import apply_architecture, found_architecture

FRAMES = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
CHANNELS = 4


class _TakesMany(nn.Module):
    """As torchvision's dense layers: one map, or a list of them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)

    def forward(self, x, other=None):
        return self.conv(sum(x) if isinstance(x, list) else x)


class _PassesMany(nn.Module):
    def __init__(self, arguments):
        super().__init__()
        self.first = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.inner, self.alone = _TakesMany(), _TakesMany()
        self.arguments = arguments

    def forward(self, x):
        x = self.first(x)
        return self.alone(x) + self.inner(*self.arguments(x))


def dense_layers(network):
    return ["inner", "alone"]


@pytest.mark.parametrize("arguments", [lambda x: ([x, x],), lambda x: (x, x)])
def test_a_block_that_gets_more_than_one_map_is_left_alone(arguments):
    network = dd.convert(_PassesMany(arguments), dd.ChannelStudent(gamma=2), dense_layers, example=FRAMES)
    assert set(delta_blocks(network)) == {"alone"}
    assert any("one tensor" in row.reason for row in dd.conversion_report(network))


def test_without_an_example_a_list_of_maps_is_refused_with_advice():
    network = dd.convert(_PassesMany(lambda x: ([x, x],)), dd.ChannelStudent(gamma=2), dense_layers)
    network(FRAMES)  # per frame it is the teacher still
    with pytest.raises(ValueError, match=r"block 'inner' got a list, .*pass example="):
        dd.forward_clip(network, FRAMES[None])
    with pytest.raises(ValueError, match=r"block 'inner' got a list, .*pass example="):
        dd.Stream(network, period=2)(FRAMES)


class _TokensFirst(nn.Module):
    """Every frame's 2×2 patches as tokens, along the first axis (tokens, frames, C) or along the second."""

    def __init__(self, order):
        super().__init__()
        torch.manual_seed(0)
        self.order = order
        self.embed, self.mix = nn.Conv2d(3, CHANNELS, 4, stride=4), nn.Linear(CHANNELS, CHANNELS)

    def forward(self, x):
        tokens = self.embed(x).flatten(2).permute(self.order)
        return self.mix(tokens).permute(1, 0, 2) if self.order[0] == 2 else self.mix(tokens)


def tokens_network(order, example=None):
    network = _TokensFirst(order).eval()
    return dd.convert(network, dd.LinearStudent(gamma=4), lambda _: ["embed", "mix"], example=example)


@pytest.mark.parametrize("order", [(2, 0, 1), (0, 2, 1)])
def test_without_an_example_as_many_tokens_as_frames_are_refused_in_a_clip(order):
    """4 tokens of 4 frames: nothing tells which axis is which, and guessing pairs tokens as frames."""
    with pytest.raises(ValueError, match=r"'mix' .* \(4, 4, 4\), in which either axis of 4 .* pass example="):
        dd.forward_clip(tokens_network(order), torch.rand(2, 2, 3, 8, 8))
    dd.Stream(tokens_network(order), period=2)(torch.rand(4, 3, 8, 8))  # pairs nothing within an input


def test_with_an_example_as_many_tokens_as_frames_run():
    clip, network = torch.rand(2, 2, 3, 8, 8), tokens_network((0, 2, 1), FRAMES)
    for block in delta_blocks(network).values():
        block.decide("uncompressed")
    torch.testing.assert_close(dd.forward_clip(network, clip)[:, 1], network(clip[:, 1]))
    assert set(delta_blocks(tokens_network((2, 0, 1), FRAMES))) == {"embed"}


def test_an_architecture_keeps_that_an_example_was_seen():
    for example in (FRAMES, None):
        network = tokens_network((0, 2, 1), example)
        architecture = found_architecture(network, dd.LinearStudent(gamma=4))
        again = delta_blocks(apply_architecture(_TokensFirst((0, 2, 1)).eval(), architecture))
        assert all(block.probed == (example is not None) for block in again.values())


def frames_of_wrong_forms(shape):
    frames = torch.rand(shape)
    return {
        "torch.uint8": (255 * frames).to(torch.uint8),
        "got ndarray": frames.numpy(),
        "expected float": frames[0],
        "movedim": frames.movedim(-3, -1),
    }


@pytest.mark.parametrize("fault", ["torch.uint8", "got ndarray", "expected float", "movedim"])
def test_frames_of_another_form_are_refused_with_the_form_that_is_expected(fault):
    network = dd.convert(build("shared head"), dd.LinearStudent(gamma=2), dd.inner_layers)
    clips = frames_of_wrong_forms((4, 2, 3, 16, 24))[fault]
    frame = frames_of_wrong_forms((2, 3, 16, 24))[fault]
    students = dd.LinearStudent(gamma=2, initialisation="data")
    for use in (
        lambda: dd.forward_clip(network, clips),
        lambda: dd.distill(network, clips, steps=1, progress=False),
        lambda: dd.convert(build("shared head"), students, dd.inner_layers, clips=clips),
        lambda: dd.Stream(network, period=2)(frame),
    ):
        with pytest.raises(ValueError, match=fault):
            use()


def test_a_stream_of_a_network_in_training_mode_says_so_once(caplog):
    network = dd.convert(build("shared head"), dd.LinearStudent(gamma=2), dd.inner_layers).train()
    stream = dd.Stream(network, period=2)
    for _ in range(3):
        stream(torch.rand(1, 3, 16, 24))
    assert [record.message for record in caplog.records if "training mode; call eval()" in record.message]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("where", ["head", ["head.0"]])
def test_a_selection_that_is_no_function_is_refused_with_one_that_is(where):
    with pytest.raises(ValueError, match=r"pass a function such as dd\.inner_layers"):
        dd.convert(build("shared head"), dd.LinearStudent(gamma=2), where)


def test_a_selection_by_name_and_module_is_refused_with_what_is_called_instead():
    with pytest.raises(ValueError, match=r"where\(name, module\) cannot be called with the network alone"):
        dd.convert(build("shared head"), dd.LinearStudent(gamma=2), lambda name, module: True)


def test_clips_that_are_not_finite_initialise_no_student():
    clips = torch.rand(4, 2, 3, 16, 24)
    clips[1, 1, 0, 3, 3] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        dd.convert(
            build("shared head"),
            dd.LinearStudent(gamma=2, initialisation="data"),
            dd.inner_layers,
            clips=clips,
        )


def test_a_batch_of_no_clips_is_refused():
    network = dd.convert(build("shared head"), dd.LinearStudent(gamma=2), dd.inner_layers)
    with pytest.raises(ValueError, match="batch 0"):
        dd.distill(network, torch.rand(2, 2, 3, 16, 24), steps=1, batch=0, progress=False)
