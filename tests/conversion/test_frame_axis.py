"""Which modules see frames along their first axis: found on small networks that do it in each way."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.conversion.frame_axis import FrameAxis, probe_frame_axes
from deltadistill.stored.architecture import apply_architecture, found_architecture

FRAMES = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
CHANNELS = 4


class _Around(nn.Module):
    """A convolution `inner` that sees what `before` makes of the features of the frames."""

    def __init__(self, before):
        super().__init__()
        torch.manual_seed(0)
        self.before = before
        self.first = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.inner = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)

    def forward(self, x):
        return self.inner(self.before(self.first(x)))


def windows(x):
    """Cut every frame into four, the windows of a frame side by side: (N, C, H, W) to (4·N, C, H/2, W/2)."""
    parts = x.unflatten(2, (2, -1)).unflatten(4, (2, -1))
    return parts.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def windows_first(x):
    parts = x.unflatten(2, (2, -1)).unflatten(4, (2, -1))
    return parts.permute(2, 4, 0, 1, 3, 5).flatten(0, 2)


def brightest_pixels(x):
    """Regions as many as there are bright pixels."""
    return x[:, :, None, None].expand(-1, -1, 8, 8, -1, -1).permute(0, 2, 3, 1, 4, 5)[x.mean(1) > 0]


def best_rows(x):
    """The three brightest rows of each frame, each as a region of its own."""
    best = x.mean((1, 3)).topk(3).indices
    return torch.cat(
        [frame[:, rows].transpose(0, 1)[:, :, None] for frame, rows in zip(x, best, strict=True)]
    )


def axis_of(network, example=FRAMES):
    return probe_frame_axes(network.eval(), [network.inner], example)[network.inner]


@pytest.mark.parametrize(
    ("before", "rows"), [(nn.Identity(), 1), (windows, 4), (lambda x: torch.cat([x, x], dim=3), 1)]
)
def test_frames_and_windows_of_frames_are_accepted(before, rows):
    assert axis_of(_Around(before)) == FrameAxis(rows_per_frame=rows)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (windows_first, "8 row(s) for 2 frames, which are not the one's and then the other's"),
        (lambda x: x.flip(0), "2 row(s) for 2 frames, which are not"),
        (lambda x: x.flatten(2).permute(2, 1, 0)[..., None], "64 row(s) for 2 frames, 64 for 1 frame"),
        (lambda x: x[:1].repeat(7, 1, 1, 1), "7 row(s) for 2 frames, 7 for 1 frame"),
        (brightest_pixels, "chosen by content (aten::index)"),
        (best_rows, "6 row(s) for 2 frames, chosen by content (aten::topk)"),
        (lambda x: x / 0, "not finite"),
    ],
)
def test_other_axes_are_refused_with_the_reason(before, reason):
    assert reason in axis_of(_Around(before)).reason


def test_counts_by_content_are_refused_even_where_they_are_one_per_frame():
    def one_region(x):
        x[x.mean((1, 2, 3)).isfinite()]  # counts rows by what they hold, and here finds them all
        return x

    assert "chosen by content" in axis_of(_Around(one_region)).reason


@pytest.mark.parametrize("side", [6, 40])  # all elements of a row are compared, or one in so many
def test_rows_are_compared_as_the_module_saw_them_whatever_becomes_of_them(side):
    class _Erasing(_Around):
        def forward(self, x):
            seen = self.before(self.first(x))
            y = self.inner(seen)
            seen.zero_()
            return y

    frames = torch.rand(1, 3, side, side + 2, generator=torch.Generator().manual_seed(0))
    assert axis_of(_Erasing(lambda x: 2 * x), frames) == FrameAxis(rows_per_frame=1)
    assert "not the one's and then the other's" in axis_of(_Erasing(lambda x: x.flip(0)), frames).reason


def test_a_module_that_is_never_called_is_refused():
    class ReadsWeights(_Around):
        def forward(self, x):
            return F.conv2d(self.first(x), self.inner.weight)

    assert "never called" in axis_of(ReadsWeights(None)).reason


def test_a_module_that_runs_once_per_frame_is_refused():
    class OneByOne(_Around):
        def forward(self, x):
            return torch.cat([self.inner(frame[None]) for frame in self.first(x)])

    assert "1 and 1 call(s) for a frame each, 2 for 2 frames" in axis_of(OneByOne(None)).reason


def test_windows_of_different_numbers_per_call_are_refused():
    class TwoSizes(_Around):
        def forward(self, x):
            return self.inner(self.first(x)), self.inner(windows(self.first(x)))

    assert "differ" in axis_of(TwoSizes(None)).reason


@pytest.mark.parametrize("example", [[[FRAMES[0]]], [FRAMES], (FRAMES.repeat(3, 1, 1, 1),)])
def test_the_example_may_be_the_arguments_of_the_network(example):
    class Stacks(_Around):
        def forward(self, x):
            return self.inner(self.first(torch.stack(list(x))))

    assert axis_of(Stacks(None), example) == FrameAxis()


@pytest.mark.parametrize("example", [FRAMES[:0], [[]]])
def test_an_example_without_a_frame_is_refused(example):
    with pytest.raises(ValueError, match="one frame or more"):
        axis_of(_Around(nn.Identity()), example)


def test_an_error_of_the_network_says_that_convert_ran_it():
    with pytest.raises(RuntimeError) as caught:
        axis_of(_Around(nn.Identity()), FRAMES[:, :2])
    assert "example" in caught.value.__notes__[0]


def test_the_probe_leaves_the_network_as_it_was():
    network = _Around(nn.Identity()).train()
    network.inner.eval()
    probe_frame_axes(network, [network.inner], FRAMES)
    assert network.training
    assert network.first.training
    assert not network.inner.training
    assert "forward" not in vars(network.inner)


def test_a_module_may_get_its_frames_by_name():
    class ByName(_Around):
        def forward(self, x):
            return self.inner(input=self.first(input=x))

    network = dd.convert(ByName(None), dd.LinearStudent(gamma=2), dd.all_convolutions, example=FRAMES)
    assert set(delta_blocks(network)) == {"first", "inner"}
    clip = torch.rand(1, 2, 3, 8, 8)
    torch.testing.assert_close(dd.forward_clip(network, clip)[:, 0], network(clip[:, 0]))
    assert dd.count_macs(network, (3, 8, 8)).delta < dd.count_macs(network, (3, 8, 8)).teacher


def convert(before, example=None):
    return dd.convert(_Around(before).eval(), dd.LinearStudent(gamma=2), dd.all_convolutions, example=example)


def test_convert_leaves_modules_alone_whose_axis_is_not_frames_and_reports_why():
    rows = {row.name: row for row in dd.conversion_report(convert(best_rows, FRAMES))}
    assert rows["first"].converted
    assert not rows["inner"].converted
    assert "topk" in rows["inner"].reason


def null_students(network):
    for block in delta_blocks(network).values():
        block.decide("compressed")
        block.compressed[1].weight.data.zero_()
    return network


class _AndBack(_Around):
    """Puts the windows together again behind the convolution."""

    def forward(self, x):
        parts = super().forward(x).unflatten(0, (-1, 2, 2))
        return parts.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def test_windows_are_paired_with_the_windows_of_their_own_key_frame():
    network = dd.convert(
        _AndBack(windows).eval(), dd.LinearStudent(gamma=2), dd.all_convolutions, example=FRAMES
    )
    assert delta_blocks(network)["inner"].rows_per_frame == 4
    clip = torch.rand(2, 3, 3, 8, 8)
    output = dd.forward_clip(null_students(network), clip)
    assert (output[0, 0] - output[1, 0]).norm() > 0.1 * output[0, 0].norm()
    torch.testing.assert_close(output, output[:, :1].expand_as(output))
    torch.testing.assert_close(output[:, 0], network(clip[:, 0]))


def test_null_students_repeat_the_windows_of_the_key_frame():
    network = null_students(convert(windows, FRAMES))
    stream, frames = dd.Stream(network, period=3), torch.rand(3, 2, 3, 8, 8)
    key = stream(frames[0]).clone()
    assert torch.equal(stream(frames[1]), key)
    assert torch.equal(stream(frames[2]), key)


@pytest.mark.parametrize("before", [windows, best_rows])
def test_without_an_example_clips_and_streams_refuse_what_they_could_pair_wrongly(before):
    network, frames = convert(before), torch.rand(2, 3, 8, 8)
    with pytest.raises(ValueError, match=r"block 'inner' got .* not frames; pass example= to convert"):
        dd.forward_clip(network, frames[None])
    with pytest.raises(ValueError, match=r"block 'inner' got .* not frames; pass example= to convert"):
        dd.Stream(network, period=2)(frames)


def test_a_stream_refuses_an_input_whose_shape_changes_on_a_delta_frame():
    def bright_columns(x):
        return x[..., : 4 + int(x.mean() > 0.5)]

    network = dd.convert(
        nn.Sequential(nn.Conv2d(3, 4, 1), _Lambda(bright_columns), nn.Conv2d(4, 4, 3)),
        dd.LinearStudent(gamma=2),
        lambda _: ["2"],
    ).eval()
    network[0].weight.data.fill_(1.0)
    network[0].bias.data.zero_()
    stream = dd.Stream(network, period=2)
    stream(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"block '2' got an input of shape \(1, 4, 8, 5\) on a delta frame"):
        stream(torch.ones(1, 3, 8, 8))


class _Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_an_architecture_keeps_the_windows_per_frame():
    architecture = found_architecture(convert(windows, FRAMES), dd.LinearStudent(gamma=2))
    again = delta_blocks(apply_architecture(_Around(windows).eval(), architecture))
    assert {name: block.rows_per_frame for name, block in again.items()} == {"first": 1, "inner": 4}


def test_the_frame_that_is_made_for_comparison_differs_and_stays_in_the_range_of_the_first():
    seen = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            seen.append(x.clone())
            return self.layer(x)

    network, frame = Watching(), torch.rand(1, 3, 6, 7) * 5 - 3  # −3 to 2
    probe_frame_axes(network, [network.layer], frame)
    one, other, both = seen
    assert torch.equal(one, frame)
    assert torch.equal(both, torch.cat([one, other]))
    assert frame.min() <= other.min()
    assert other.max() <= frame.max()
    assert (one - other).norm() > 0.3 * one.norm()
