"""Streams: schedule, reset, batches of streams, and what must be refused."""

import pytest
import torch
from architectures import build
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.sessions import ClipSession
from deltadistill.distillation.losses import probe_teacher


@pytest.fixture
def network():
    return dd.convert(build("in place"), dd.LinearStudent(gamma=2))


def frames(count, *shape):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))


def test_every_period_th_frame_is_a_key_frame(network):
    stream = dd.Stream(network, period=3)
    keys = []
    for frame in frames(7, 1, 3, 8, 8):
        stream(frame)
        keys.append(stream.is_key_frame)
    assert keys == [True, False, False, True, False, False, True]


def test_reset_forgets_the_previous_video(network):
    stream, video = dd.Stream(network, period=4), frames(3, 1, 3, 8, 8)
    fresh = [stream(frame)[0].clone() for frame in video]
    stream(frames(1, 1, 3, 8, 8)[0] + 5)
    stream.reset()
    assert stream.state_bytes == 0
    again = [stream(frame)[0].clone() for frame in video]
    assert all(torch.equal(a, b) for a, b in zip(fresh, again, strict=True))


def test_streams_in_a_batch_are_independent(network):
    video = frames(4, 2, 3, 8, 8)
    together = dd.Stream(network, period=4)
    alone = [dd.Stream(network, period=4) for _ in range(2)]
    for frame in video:
        batch = together(frame)[0]
        for i, stream in enumerate(alone):
            torch.testing.assert_close(batch[i : i + 1], stream(frame[i : i + 1])[0], rtol=1e-4, atol=1e-5)


def test_the_state_is_input_and_output_of_every_converted_block(network):
    stream = dd.Stream(network, period=2)
    stream(frames(1, 1, 3, 8, 10)[0])
    assert stream.state_bytes == 2 * 8 * 8 * 10 * 4  # one block, 8 channels in and out, float32


def test_a_frame_of_another_size_is_refused_until_reset(network):
    stream = dd.Stream(network, period=3)
    stream(frames(1, 1, 3, 8, 8)[0])
    with pytest.raises(ValueError, match="reset"):
        stream(frames(1, 1, 3, 8, 10)[0])
    stream.reset()
    stream(frames(1, 1, 3, 8, 10)[0])


def test_after_an_error_the_network_is_per_frame_again(network):
    stream = dd.Stream(network, period=3)
    with pytest.raises(RuntimeError):
        stream(torch.zeros(1, 5, 8, 8))
    frame = frames(1, 1, 3, 8, 8)[0]
    torch.testing.assert_close(network(frame)[0], build("in place")(frame)[0])


def test_a_period_below_one_is_refused(network):
    with pytest.raises(ValueError, match="period"):
        dd.Stream(network, period=0)


def test_a_plain_network_cannot_stream():
    with pytest.raises(ValueError, match="convert"):
        dd.Stream(build("in place"), period=2)


def test_a_clip_needs_five_axes(network):
    with pytest.raises(ValueError, match="N, T, C, H, W"):
        dd.forward_clip(network, torch.zeros(2, 3, 8, 8))


def test_a_clip_and_its_session_must_agree_on_what_deltas_refer_to(network):
    clip, session = torch.zeros(1, 3, 3, 8, 8), ClipSession(3, relative_to="key")
    with pytest.raises(ValueError, match="'key', not to 'previous'"):
        dd.forward_clip(network, clip, session=session, relative_to="previous")
    with pytest.raises(ValueError, match="unknown"):
        dd.forward_clip(network, clip, relative_to="next")


@pytest.mark.parametrize(
    ("design", "where"),
    [(dd.LinearStudent(gamma=2), dd.inner_convolutions), (dd.ChannelStudent(gamma=2), dd.residual_blocks)],
)
def test_the_error_relative_to_the_previous_frame_is_that_of_the_change_since_then(design, where):
    """Null students predict no change at all, so that the error is one; uncompressed ones make none."""
    network, clip = dd.convert(build("ddrnet"), design, where), frames(2, 3, 3, 40, 56)
    later = clip[:, 1:].transpose(0, 1).flatten(0, 1)
    targets = probe_teacher(network, later).targets
    for candidate, error in (("compressed", 1.0), ("uncompressed", 0.0)):
        for block in delta_blocks(network).values():
            block.decide(candidate)
            list(block.compressed.parameters())[-1].data.zero_()
        session = ClipSession(3, targets=targets, relative_to="previous")
        dd.forward_clip(network, clip, session=session)
        first = next(iter(session.errors.values()))
        torch.testing.assert_close(first.relative(), torch.tensor(error), atol=1e-6, rtol=0)


class _Regions(nn.Module):
    """Reshapes its batch, as heads on regions do."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.inner = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        regions = self.first(x)[:1].repeat(7, 1, 1, 1)
        return self.last(self.inner(regions))


def test_a_block_whose_batch_is_not_frames_is_refused_not_paired_wrongly():
    network = dd.convert(_Regions().eval(), dd.LinearStudent(gamma=2))
    with pytest.raises(ValueError, match="not frames"):
        dd.forward_clip(network, torch.randn(2, 2, 3, 8, 8))
