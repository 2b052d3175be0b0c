"""Students that start from real deltas."""

import pytest
import torch
from architectures import ARCHITECTURES, build
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks


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
    with pytest.raises(ValueError, match="of 2 frames"):
        dd.convert(build("in place"), dd.LinearStudent(initialisation="data"), clips=smooth_clips()[:, :1])
