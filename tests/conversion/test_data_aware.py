"""Students that start from real deltas."""

import pytest
import torch
from architectures import ARCHITECTURES, build
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.conversion import data_fit


def smooth_clips(clips=12, size=(40, 56), channels=3):
    """Clips whose deltas lie in few directions, as in real video."""
    generator = torch.Generator().manual_seed(5)
    coarse = torch.randn(clips * 2, 1, 5, 7, generator=generator)
    mix = torch.tensor([1.0, 0.6, -0.2]).view(1, -1, 1, 1)[:, :channels]
    frames = nn.functional.interpolate(coarse, size, mode="bicubic") * mix
    return (frames + 0.05 * torch.randn(frames.shape, generator=generator)).unflatten(0, (clips, 2))


def error_of(network, clips):
    """Squared error of every block's student on the teacher's own deltas."""
    blocks = delta_blocks(network)
    inputs = {}
    hooks = [
        block.register_forward_pre_hook(lambda m, x, n=name: inputs.setdefault(n, []).append(x[0].clone()))
        for name, block in blocks.items()
    ]
    with torch.no_grad():
        network(clips.transpose(0, 1).flatten(0, 1))
        for hook in hooks:
            hook.remove()
        errors = {}
        for name, calls in inputs.items():
            for x in calls:
                half = x.shape[0] // 2
                delta = x[half:] - x[:half]
                block = blocks[name]
                error = (block.uncompressed(delta) - block.compressed(delta)).square().sum().item()
                errors[name] = errors.get(name, 0.0) + error
    return errors


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_on_held_out_deltas_it_is_never_worse_than_svd(name):
    clips = smooth_clips()
    by = {
        kind: error_of(
            dd.convert(
                build(name),
                dd.LinearStudent(gamma=4, initialisation=kind),
                dd.inner_layers,
                clips=clips if kind == "data" else None,
            ),
            clips[[3, 7, 11]],  # every fourth clip is held out
        )
        for kind in ("svd", "data")
    }
    assert all(by["data"][block] <= by["svd"][block] * (1 + 1e-6) + 1e-12 for block in by["svd"])
    assert sum(by["data"].values()) < 0.9 * sum(by["svd"].values())


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(6, 8, 3, padding=1),
        nn.Conv2d(6, 8, (3, 5), stride=(2, 1), padding=(1, 2), padding_mode="reflect"),
        nn.Conv2d(6, 8, 3, dilation=2, padding="same", groups=2),
        nn.Conv2d(6, 8, 1, stride=2),
    ],
    ids=["plain", "asymmetric", "dilated groups", "strided pointwise"],
)
def test_at_full_rank_it_is_exact(layer):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(6, 6, 1), layer).eval()
    students = dd.LinearStudent(multiple=64, initialisation="data", keep_dearer=True)  # capped at full rank
    network = dd.convert(network, students, lambda _: ["1"], clips=torch.randn(8, 2, 6, 14, 14))
    block = network[1]
    x = torch.randn(2, 6, 14, 14)
    torch.testing.assert_close(block.compressed(x), block.uncompressed(x), rtol=1e-4, atol=1e-4)


def test_a_rank_that_the_deltas_need_is_found_by_hand():
    """Deltas only ever move along (1, 1): rank 1 of a rank-2 kernel is then exact."""
    network = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False)).eval()
    network[0].weight.data = torch.tensor([[1.0, 0.0], [0.0, -1.0]])[:, :, None, None]
    move = torch.randn(8, 1, 1, 4, 4).expand(-1, 1, 2, -1, -1)
    key = torch.randn(8, 1, 2, 4, 4)
    clips = torch.cat([key, key + move], dim=1)
    students = {
        kind: dd.LinearStudent(gamma=2, initialisation=kind, keep_dearer=True) for kind in ("svd", "data")
    }
    delta = torch.full((1, 2, 1, 1), 3.0)  # the kernel makes (3, −3) of it
    block = dd.convert(network, students["data"], dd.all_convolutions, clips=clips)[0]
    torch.testing.assert_close(
        block.compressed(delta).flatten(), torch.tensor([3.0, -3.0]), rtol=1e-4, atol=1e-4
    )
    block = dd.convert(network, students["svd"], dd.all_convolutions)[0]
    assert (block.compressed(delta).flatten() - torch.tensor([3.0, -3.0])).abs().max() > 1


def fitted_to(taught, judged, *, frames=2, scale=1.0):
    """A 1×1 kernel diag(1, 2, 3) fitted at rank 1, on eight clips: the fourth and the last judge alone.

    Later frames all differ from the first, and by `scale` times these directions.
    """
    network = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False)).eval()
    network[0].weight.data = torch.diag(torch.tensor([1.0, 2.0, 3.0]))[:, :, None, None]
    sizes = torch.linspace(-1, 1, 20).view(4, 5)  # on both sides of zero
    moves = torch.tensor([judged if clip in (3, 7) else taught for clip in range(8)])
    steps = torch.arange(frames)[:, None, None, None]
    clips = 0.5 + scale * steps * moves[:, None, :, None, None] * sizes
    students = dd.LinearStudent(gamma=3, initialisation="data", keep_dearer=True)
    (block,) = dd.convert(network, students, dd.all_convolutions, clips=clips)
    return block.compressed(torch.eye(3)[:, :, None, None]).flatten(1)  # a row per channel that moves


def test_a_fit_that_only_the_clips_it_was_made_of_confirm_is_not_kept():
    """Taught channel 0, a fit is perfect there; the clips that judge move channel 2, which SVD keeps."""
    kept = fitted_to(taught=(1.0, 0.0, 0.0), judged=(0.0, 0.0, 1.0))
    torch.testing.assert_close(kept, torch.diag(torch.tensor([0.0, 0.0, 3.0])), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("frames", "scale"), [(2, 1.0), (3, 1.0), (5, -0.2), (2, 1e-3), (3, 1e3)])
def test_the_clips_that_judge_a_fit_do_not_teach_it(frames, scale):
    """They move channel 1 three times as much: taught by them too, the fit would take that one.

    On them a fit to channel 0 has an error of (2·3)² and SVD, which keeps channel 2, one of 1² + (2·3)².
    """
    kept = fitted_to((1.0, 0.0, 0.0), (1.0, 3.0, 0.0), frames=frames, scale=scale)
    torch.testing.assert_close(kept, torch.diag(torch.tensor([1.0, 0.0, 0.0])), atol=1e-3, rtol=1e-3)


def test_linear_layers_start_from_data_too():
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 12), nn.Linear(12, 2)
    network, clips = nn.Sequential(*layers).eval(), smooth_clips(size=(2, 2))
    by_svd = dd.convert(network, dd.LinearStudent(gamma=4), dd.inner_layers)
    by_data = dd.convert(
        network, dd.LinearStudent(gamma=4, initialisation="data"), dd.inner_layers, clips=clips
    )
    held_out = clips[[3, 7, 11]]
    assert sum(error_of(by_data, held_out).values()) < 0.5 * sum(error_of(by_svd, held_out).values())


def test_features_start_from_frames_instead_of_deltas():
    clips = smooth_clips()
    delta, feature = (
        dd.convert(
            build("in place"),
            dd.LinearStudent(gamma=4, initialisation="data"),
            predicts=predicts,
            clips=clips,
        )
        for predicts in ("delta", "feature")
    )
    assert not torch.equal(delta.middle.compressed[0].weight, feature.middle.compressed[0].weight)


class _Spare(nn.Module):
    """Has a head that it does not run."""

    def __init__(self):
        super().__init__()
        self.body, self.spare = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)

    def forward(self, x):
        return self.body(x)


def test_a_block_that_does_not_run_on_the_clips_keeps_its_svd():
    students = {kind: dd.LinearStudent(gamma=2, initialisation=kind) for kind in ("svd", "data")}
    network = _Spare().eval()
    by_svd = dd.convert(network, students["svd"], dd.all_convolutions)
    by_data = dd.convert(network, students["data"], dd.all_convolutions, clips=smooth_clips())
    assert torch.equal(by_data.spare.compressed[0].weight, by_svd.spare.compressed[0].weight)
    assert not torch.equal(by_data.body.compressed[0].weight, by_svd.body.compressed[0].weight)


def test_clips_in_which_nothing_moves_leave_the_svd():
    still = smooth_clips()[:, :1].expand(-1, 2, -1, -1, -1)
    by_svd = dd.convert(build("in place"), dd.LinearStudent(gamma=4))
    by_data = dd.convert(build("in place"), dd.LinearStudent(gamma=4, initialisation="data"), clips=still)
    for ours, theirs in zip(by_data.middle.compressed, by_svd.middle.compressed, strict=True):
        assert torch.equal(ours.weight, theirs.weight)


def test_clips_and_the_initialisation_go_together():
    with pytest.raises(ValueError, match="clips"):
        dd.convert(build("in place"), dd.LinearStudent(initialisation="data"))
    with pytest.raises(ValueError, match="clips"):
        dd.convert(build("in place"), dd.LinearStudent(), clips=smooth_clips())
    with pytest.raises(ValueError, match="at least 2 clips"):
        dd.convert(build("in place"), dd.LinearStudent(initialisation="data"), clips=smooth_clips(clips=1))


def depthwise(dead=4):
    """A depthwise network whose first channels never change: their ReLU gives nothing."""
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=16), nn.ReLU(), nn.Conv2d(16, 8, 1)
    network = nn.Sequential(*layers).eval()
    network[0].bias.data[:dead] = -10
    return network


def uniform_clips():
    return torch.rand(8, 3, 3, 24, 24, generator=torch.Generator().manual_seed(0))


FROM_DATA = dd.LinearStudent(gamma=4, rank="min", initialisation="data", keep_dearer=True)


def weights_of(network):
    return [weight for block in delta_blocks(network).values() for weight in block.compressed.parameters()]


def test_channels_that_never_change_keep_weights_of_the_teachers_size(caplog):
    network = depthwise()
    delta = dd.convert(network, FROM_DATA, dd.all_layers, clips=uniform_clips(), progress=False)
    largest = max(layer.weight.abs().max() for layer in (network[0], network[2], network[4]))
    assert all(weight.abs().max() < 5 * largest for weight in weights_of(delta))
    assert all(weight.isfinite().all() for weight in weights_of(delta.half()))
    assert "4 group(s) of channels in 1 block(s) keep the SVD of their kernel" in caplog.text
    starts = {row.name: row.start for row in dd.conversion_report(delta)}
    assert starts["2"].startswith("data, but SVD for 4 of 16 group(s) in which nothing moves in the clips")
    assert starts["4"] == "data"


def test_channels_that_never_change_keep_their_svd_and_the_others_start_from_data():
    by_svd = dd.convert(depthwise(), dd.LinearStudent(gamma=4, rank="min", keep_dearer=True), dd.all_layers)
    by_data = dd.convert(depthwise(), FROM_DATA, dd.all_layers, clips=uniform_clips())
    for ours, theirs in zip(by_data[2].compressed, by_svd[2].compressed, strict=True):
        assert torch.equal(ours.weight[:4], theirs.weight[:4])
        assert sum(torch.equal(a, b) for a, b in zip(ours.weight, theirs.weight, strict=True)) < 10


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_what_moves_is_judged_relative_to_the_layer(scale):
    """The same network on frames of another scale has the same dead channels, and no others."""
    starts = []
    for factor in (1.0, scale):
        network = depthwise()
        network[0].weight.data /= factor
        network[2].weight.data *= factor
        network[0].bias.data[4:] = 0
        network[2].bias.data[:] = 0
        clips = uniform_clips() * factor
        delta = dd.convert(network, FROM_DATA, lambda _: ["2"], clips=clips)
        starts.append(dd.conversion_report(delta)[1].start)
    assert starts[0] == starts[1]
    assert "4 of 16" in starts[0]


@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_a_layer_of_more_channels_than_samples_starts_from_data_whatever_its_scale(scale):
    """Such as what scales channels by a mean over the whole map: one sample per frame, and often tiny."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(64, 24, 1, bias=False)).eval()
    steps, mix = torch.randn(8, 3, 3), torch.randn(3, 64)  # all frames move in three directions
    frames = torch.cat([torch.zeros(8, 1, 64), steps.cumsum(1) @ mix], 1)
    clips = frames[..., None, None].expand(-1, -1, -1, 2, 2)
    student = dd.convert(network, FROM_DATA, lambda _: ["1"], clips=clips * scale)[1].compressed
    delta = (torch.randn(5, 3) @ mix)[..., None, None]
    torch.testing.assert_close(student(delta), network[1](delta), rtol=1e-3, atol=1e-3)
    by_svd = dd.convert(network, dd.LinearStudent(gamma=4, rank="min"), lambda _: ["1"])[1].compressed
    largest = [max(layer.weight.abs().max() for layer in layers) for layers in (student, by_svd)]
    assert largest[0] < 3 * largest[1]


def test_groups_whose_weights_would_be_far_above_the_teachers_are_held(monkeypatch, caplog):
    by_svd = dd.convert(depthwise(0), dd.LinearStudent(gamma=4, rank="min", keep_dearer=True), dd.all_layers)
    largest = by_svd[2].compressed[0].weight.abs().max()
    monkeypatch.setattr(data_fit, "_LARGEST", 0.0)
    delta = dd.convert(depthwise(0), FROM_DATA, lambda _: ["2"], clips=uniform_clips())
    assert delta[2].compressed[0].weight.abs().max() == largest
    assert "16 whose weights would be far above the teacher's" in caplog.text
    assert dd.conversion_report(delta)[1].start.startswith("SVD for 16 of 16")


def test_every_group_keeps_what_is_better_for_it():
    """Of clips that move otherwise when they judge, each channel keeps the better of both."""
    clips = uniform_clips()
    clips[[3, 7]] = clips[[3, 7]].mean(-1, keepdim=True).expand_as(clips[[3, 7]])  # only rows differ
    by_svd = dd.convert(depthwise(0), dd.LinearStudent(gamma=4, rank="min", keep_dearer=True), dd.all_layers)
    delta = dd.convert(depthwise(0), FROM_DATA, dd.all_layers, clips=clips)
    kept = [
        torch.equal(ours, theirs)
        for ours, theirs in zip(delta[2].compressed[0].weight, by_svd[2].compressed[0].weight, strict=True)
    ]
    assert 0 < sum(kept) < 16
    assert f"{sum(kept)} of 16 group(s) no better on held-out clips" in dd.conversion_report(delta)[1].start


@pytest.mark.parametrize(("inputs", "outputs"), [(12, 5), (5, 12), (7, 7)])
@pytest.mark.parametrize("kind", ["convolution", "linear"])
def test_a_pointwise_student_is_the_best_of_its_rank_on_the_deltas(inputs, outputs, kind):
    """Reduced-rank regression: W projected on the main directions of the true deltas W Δx."""
    torch.manual_seed(0)
    clips = torch.randn(12, 2, inputs, 3, 4) * torch.linspace(1, 0.1, inputs).view(-1, 1, 1)
    layer = nn.Conv2d(inputs, outputs, 1)
    network = nn.Sequential(layer, nn.Flatten()).eval()
    if kind == "linear":
        layer, clips = nn.Linear(inputs, outputs), clips.movedim(2, -1)
        network = nn.Sequential(layer, nn.Flatten()).eval()
    students = dd.LinearStudent(gamma=2, rank="min", initialisation="data", keep_dearer=True)
    student = dd.convert(network, students, lambda _: ["0"], clips=clips)[0].compressed
    taught = clips[[0, 1, 2, 4, 5, 6, 8, 9, 10]]
    delta = taught[:, 1] - taught[:, 0]
    delta = (delta if kind == "linear" else delta.movedim(1, -1)).flatten(0, 2).double()
    weight = layer.weight.detach().flatten(1).double()
    rank = min(inputs, outputs) // 2
    main = torch.linalg.eigh(weight @ delta.T @ delta @ weight.T).eigenvectors[:, -rank:]
    found = student[1].weight.flatten(1) @ student[0].weight.flatten(1)
    torch.testing.assert_close(found.double(), main @ main.T @ weight, rtol=1e-4, atol=1e-5)


def test_the_start_shows_how_far_it_is(capsys):
    dd.convert(depthwise(), FROM_DATA, clips=uniform_clips())
    assert "start from data: 100%" in capsys.readouterr().err
    dd.convert(depthwise(), FROM_DATA, clips=uniform_clips(), progress=False)
    assert "start from data:" not in capsys.readouterr().err


class _Noisy(nn.Module):
    """Takes a noise level for every frame."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 8, 3), nn.Conv2d(8, 8, 3)

    def forward(self, frames, level):
        level = level.view(-1, 1, 1, 1).expand(-1, 1, *frames.shape[2:])
        return self.second(self.first(torch.cat([frames, level], 1)))


def test_a_network_with_more_inputs_starts_from_data_as_run_says():
    torch.manual_seed(0)
    clips = uniform_clips()
    delta = dd.convert(
        _Noisy().eval(),
        FROM_DATA,
        dd.all_layers,
        clips=clips,
        run=lambda network, frames: network(frames, torch.full((len(frames),), 0.1)),
        example=(clips[:2, 0], torch.full((2,), 0.1)),
    )
    assert {row.start for row in dd.conversion_report(delta)} == {"data"}
    with pytest.raises(ValueError, match="of 2 frames"):
        dd.convert(build("in place"), dd.LinearStudent(initialisation="data"), clips=smooth_clips()[:, :1])


@pytest.mark.parametrize(("kernel", "batches"), [(1, 4 + 2), (3, 4 + 4 + 2)])
def test_clips_that_teach_are_run_a_second_time_only_for_kernels_beyond_a_point(kernel, batches):
    runs = []
    network = nn.Sequential(nn.Conv2d(3, 8, kernel), nn.Conv2d(8, 8, 1)).eval()

    def run(network, frames):
        runs.append(len(frames))
        return network(frames)

    clips = smooth_clips(clips=10, size=(9, 9))  # seven of which teach and three judge, two at once
    dd.convert(network, FROM_DATA, dd.all_layers, clips=clips, run=run, progress=False)
    assert len(runs) == batches
