"""Streams: schedule, reset, batches of streams, and what must be refused."""

import random

import pytest
import torch
from architectures import build
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.sessions import ClipSession
from deltadistill.objectives.teacher_pass import probe_teacher


@pytest.fixture
def network():
    return dd.convert(build("in place"), dd.LinearStudent(gamma=2))


def frames(count, *shape):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))


def keys_of(stream, video):
    """K for every frame that was a key frame, d for every other."""
    keys = ""
    for frame in video:
        stream(frame)
        keys += "K" if stream.is_key_frame else "d"
    return keys


def test_every_period_th_frame_is_a_key_frame(network):
    assert keys_of(dd.Stream(network, period=3), frames(7, 1, 3, 8, 8)) == "KddKddK"


def test_reset_forgets_the_previous_video(network):
    """The period is longer than both videos, so that nothing but reset makes another key frame."""
    video, other = frames(8, 1, 3, 8, 6).split([3, 5])
    stream, without = dd.Stream(network, period=20), dd.Stream(network, period=20)
    fresh = [stream(frame)[0].clone() for frame in video]
    for frame in other:
        stream(frame)
        without(frame)
    stream.reset()
    assert stream.state_bytes == 0
    for frame, expected in zip(video, fresh, strict=True):
        torch.testing.assert_close(stream(frame)[0], expected)
        assert (without(frame)[0] - expected).norm() > 0.01 * expected.norm()


@pytest.mark.parametrize(
    ("before", "frames_before", "after", "keys"),
    [
        (8, 3, 2, "KddKdKd"),  # more frames than the new period lie behind: at once
        (8, 4, 5, "KddddKd"),
        (2, 3, 4, "KdKdddK"),
        (2, 2, 4, "KdddKdd"),  # not due yet, as the key frame is two frames old
        (3, 2, 1, "KdKKKKK"),
        (1, 3, 3, "KKKddKd"),
    ],
)
def test_a_changed_period_holds_from_the_next_frame_on(network, before, frames_before, after, keys):
    stream, video = dd.Stream(network, period=before), frames(7, 1, 3, 8, 6)
    first = keys_of(stream, video[:frames_before])
    stream.period = after
    assert first + keys_of(stream, video[frames_before:]) == keys
    assert stream.period == after


def test_no_gap_is_longer_than_the_period_however_often_it_changes(network):
    stream, draw, since = dd.Stream(network, period=9), random.Random(0), 0
    for frame in frames(1, 1, 3, 4, 3).expand(200, -1, -1, -1, -1):
        stream.period = draw.choice([1, 2, 4, 7, 9])
        stream(frame)
        assert stream.is_key_frame == (since in (0, *range(stream.period, 10)))
        since = 1 if stream.is_key_frame else since + 1


@pytest.mark.parametrize("period", [0, -3, 2.5, 3.0, float("nan"), "3", None, True])
def test_a_period_that_is_no_count_of_frames_is_refused_whenever_it_is_set(network, period):
    with pytest.raises(ValueError, match=f"period {period!r} must be a whole number of frames, at least 1"):
        dd.Stream(network, period=period)
    stream = dd.Stream(network, period=3)
    with pytest.raises(ValueError, match="whole number"):
        stream.period = period
    assert keys_of(stream, frames(4, 1, 3, 8, 6)) == "KddK"


def test_refresh_makes_the_next_frame_a_key_frame_and_keeps_the_rest_until_then(network):
    video = frames(7, 1, 3, 8, 6)
    stream, fresh = dd.Stream(network, period=3), dd.Stream(network, period=3)
    keys = keys_of(stream, video[:2])
    held = stream.state_bytes
    stream.refresh()
    assert stream.state_bytes == held > 0
    assert not stream.is_key_frame
    for frame in video[2:4]:
        torch.testing.assert_close(stream(frame)[0], fresh(frame)[0])
    assert keys + "Kd" + keys_of(stream, video[4:]) == "KdKddKd"


def test_a_refresh_asked_for_during_a_frame_is_for_the_next(network):
    def run(plain, frame):
        if len(asked) < 2:
            asked.append(stream.refresh())
        return plain(frame)

    asked = []
    stream = dd.Stream(network, period=4, run=run)
    assert keys_of(stream, frames(5, 1, 3, 8, 6)) == "KKKdd"


NONFINITE = {
    # frame that is not finite, reference → keys, and which outputs are finite, by what is to be done
    (0, "key"): {"keep": ("KdddK", "....x"), "refresh": ("KKddd", ".xxxx")},
    (1, "key"): {"keep": ("KdddK", "x.xxx"), "refresh": ("KdddK", "x.xxx")},  # nothing starts from it
    (1, "previous"): {"keep": ("KdddK", "x...x"), "refresh": ("KdKdd", "x.xxx")},
}


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
@pytest.mark.parametrize("todo", ["keep", "refresh"])
@pytest.mark.parametrize(("where", "relative_to"), NONFINITE)
def test_what_is_not_finite_stays_until_the_next_key_frame_or_makes_one(
    network, where, relative_to, todo, value
):
    video = frames(5, 1, 3, 8, 6)
    video[where, 0, 1, 2, 3] = value
    stream, keys, finite = dd.Stream(network, period=4, relative_to=relative_to, nonfinite=todo), "", ""
    for frame in video:
        finite += "x" if stream(frame)[0].isfinite().all() else "."
        keys += "K" if stream.is_key_frame else "d"
    assert (keys, finite) == NONFINITE[where, relative_to][todo]


def test_a_stream_may_raise_where_what_it_keeps_is_not_finite(network):
    video = frames(3, 2, 3, 8, 6)
    stream = dd.Stream(network, period=4, nonfinite="raise")
    broken = video[0].clone()
    broken[1, 2, 7, 5] = float("inf")
    with pytest.raises(FloatingPointError, match="'middle' keeps of this frame, which is not finite itself"):
        stream(broken)
    assert keys_of(stream, video) == "Kdd"
    with torch.no_grad():
        delta_blocks(network)["middle"].teacher.weight.mul_(1e38)
    with pytest.raises(FloatingPointError, match="which is finite"):
        [stream(100 * frame) for frame in video.repeat(2, 1, 1, 1, 1)]
    with pytest.raises(ValueError, match="'warn' is unknown; allowed: keep, refresh, raise"):
        dd.Stream(network, period=4, nonfinite="warn")


@pytest.mark.parametrize("relative_to", ["key", "previous"])
def test_after_an_error_within_a_frame_the_next_frame_is_a_key_frame(network, relative_to):
    """With "previous" some blocks would go on from the failed frame, others from the one before."""

    def run(plain, frame):
        output = plain(frame)
        if len(seen) == 2:
            seen.append("failed")
            raise OSError("the camera is gone")
        seen.append(frame)
        return output

    seen, video = [], frames(5, 1, 3, 8, 6)
    stream = dd.Stream(network, period=9, relative_to=relative_to, run=run)
    assert keys_of(stream, video[:2]) == "Kd"
    with pytest.raises(OSError, match="camera"):
        stream(video[2])
    assert keys_of(stream, video[2:]) == "Kdd"


def test_a_later_frame_of_another_form_is_refused_in_one_sentence(network):
    stream, video = dd.Stream(network, period=4), frames(3, 1, 3, 8, 6)
    stream(video[0])
    for later, said in (
        (video[1].double(), r"dtype torch\.float64 follows frames of dtype torch\.float32; call reset"),
        (video[1][..., 1:], r"shape \(1, 3, 8, 5\) follows frames of shape \(1, 3, 8, 6\); call reset"),
        (video[1].to("meta"), "device meta follows frames of device cpu; call reset"),
        ((255 * video[1]).to(torch.uint8), r"torch\.uint8; scale it .* frames\.float\(\) / 255"),
        (video[1].numpy(), "got ndarray"),
    ):
        with pytest.raises(ValueError, match=said):
            stream(later)
    assert keys_of(stream, video[1:]) == "dd"


def test_frames_of_another_type_than_the_weights_are_named_where_the_network_fails(network):
    with pytest.raises(RuntimeError) as caught:
        dd.Stream(network, period=2)(torch.zeros(1, 3, 8, 6, dtype=torch.float64))
    (note,) = caught.value.__notes__
    assert "torch.float64, the network of torch.float32: frame.to(torch.float32)" in note


def test_every_forward_of_a_session_counts_its_calls_anew():
    """A head that runs twice per frame has calls 0 and 1 in the second forward too, each with its target."""
    network = dd.convert(build("shared head"), dd.LinearStudent(gamma=2), dd.inner_layers)
    clip = frames(2, 3, 3, 16, 12)
    session = ClipSession(
        3, targets=probe_teacher(network, clip[:, 1:].transpose(0, 1).flatten(0, 1)).targets
    )
    errors = []
    for _ in range(3):
        dd.forward_clip(network, clip, session=session)
        errors.append({(b.name, i): error.squared.item() for (b, i), error in session.errors.items()})
    assert sorted(index for _, index in errors[0]) == [0, 0, 1, 1]
    assert errors[1] == errors[2] == pytest.approx(errors[0])
    fine, coarse = (errors[0]["head.0", index] for index in (0, 1))
    assert fine != pytest.approx(coarse, rel=0.1)


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
    ("design", "where", "length"),
    [
        (dd.LinearStudent(gamma=2), dd.inner_convolutions, 4),
        (dd.ChannelStudent(gamma=2), dd.residual_blocks, 3),
    ],
)
def test_the_error_relative_to_the_previous_frame_is_that_of_the_change_since_then(design, where, length):
    """Null students predict no change at all, so that the error is one; uncompressed ones make none."""
    network, clip = dd.convert(build("ddrnet"), design, where), frames(2, length, 3, 40, 56)
    later = clip[:, 1:].transpose(0, 1).flatten(0, 1)
    targets = probe_teacher(network, later).targets
    for candidate, error in (("compressed", 1.0), ("uncompressed", 0.0)):
        for block in delta_blocks(network).values():
            block.decide(candidate)
            list(block.compressed.parameters())[-1].data.zero_()
        session = ClipSession(length, targets=targets, relative_to="previous")
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
