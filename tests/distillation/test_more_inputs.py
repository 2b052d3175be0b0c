"""Networks that take more than frames, or return what no one can divide into frames, go all the way."""

import pytest
import torch
from depthwise import clips_of
from torch import nn

import deltadistill as dd
from deltadistill.forward.outputs import frame_outputs


class _Denoiser(nn.Module):
    """Takes a noise level per frame; returns the frames and, on the side, a scalar and an object."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*(nn.Conv2d(4 if i == 0 else 8, 8, 3, padding=1) for i in range(4)))

    def forward(self, frames, level):
        level = level.view(-1, 1, 1, 1).expand(-1, 1, *frames.shape[2:])
        maps = self.layers(torch.cat([frames, level], 1))
        return {"maps": maps, "mean": maps.mean(), "settings": self.layers}


class _Rows(nn.Module):
    """Returns as many rows as it finds, whatever the number of frames."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*(nn.Conv2d(3 if i == 0 else 8, 8, 3, padding=1) for i in range(4)))

    def forward(self, frames):
        maps = self.layers(frames)
        return maps[maps > 0].view(-1, 1)[:7]


def with_level(network, frames):
    return network(frames, frames.new_full((len(frames),), 0.1))


@pytest.mark.parametrize("initialisation", ["svd", "data"])
def test_a_network_with_a_noise_level_goes_all_the_way(initialisation):
    clips = clips_of()
    from_data = {"clips": clips, "run": with_level} if initialisation == "data" else {}
    students = dd.LinearStudent(gamma=2, initialisation=initialisation)
    example = (clips[:2, 0], torch.full((2,), 0.1))
    delta = dd.convert(_Denoiser().eval(), students, example=example, **from_data)
    losses = dd.distill(delta, clips, steps=8, run=with_level, progress=False)
    assert sum(losses[-2:]) < sum(losses[:2])
    dd.distill(delta, clips, steps=2, cost=0.8, run=with_level, progress=False)
    deployed = dd.deploy(delta)
    table = dd.count_macs(deployed, (3, 16, 20), run=with_level)
    assert table.teacher == dd.count_macs(deployed, (clips[:1, 0], torch.ones(1))).teacher
    assert table.amortised(3) / table.teacher <= 0.8
    assert {row.name for row in table.rows} == {f"layers.{i}" for i in range(4)}
    stream = dd.Stream(deployed, period=3, run=with_level)
    assert stream(clips[:1, 0])["maps"].shape == (1, 8, 16, 20)


def test_without_being_told_how_it_is_run_everything_says_what_to_pass():
    clips, students = clips_of(), dd.LinearStudent(gamma=2)
    delta = dd.convert(_Denoiser().eval(), students)
    from_data = {"clips": clips, "example": (clips[:2, 0], torch.ones(2))}
    for call in (
        lambda: dd.convert(_Denoiser().eval(), dd.LinearStudent(initialisation="data"), **from_data),
        lambda: dd.distill(delta, clips, steps=2, progress=False),
        lambda: dd.distill(delta, clips, steps=2, cost=0.8, progress=False),
        lambda: dd.count_macs(delta, (3, 16, 20)),
        lambda: dd.Stream(delta, period=3)(clips[:1, 0]),
        lambda: dd.forward_clip(delta, clips),
    ):
        with pytest.raises(ValueError, match=r"_Denoiser takes other .*'level'.*run=lambda network, frames"):
            call()


def test_a_type_error_within_a_network_stays_what_it_is():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 3, 1)).eval()
    delta = dd.convert(network, dd.LinearStudent(gamma=2))
    delta.register_forward_hook(lambda module, inputs, output: output + "frames")
    with pytest.raises(TypeError, match="unsupported operand"):
        dd.Stream(delta, period=3)(clips_of()[:1, 0])


def test_a_network_whose_rows_are_no_frames_distills():
    clips = clips_of()
    delta = dd.convert(_Rows().eval(), dd.LinearStudent(gamma=2, initialisation="data"), clips=clips)
    losses = dd.distill(delta, clips, steps=8, progress=False)
    assert sum(losses[-2:]) < sum(losses[:2])


def test_outputs_that_cannot_be_divided_name_frame_outputs():
    clips = clips_of(2)
    delta = dd.convert(_Rows().eval(), dd.LinearStudent(gamma=2))
    with pytest.raises(ValueError, match=r"method frame_outputs\(frames\).*run=frame_outputs"):
        dd.forward_clip(delta, clips)
    delta = dd.convert(_Denoiser().eval(), dd.LinearStudent(gamma=2))
    with pytest.raises(ValueError, match=r"method frame_outputs\(frames\)"):
        dd.forward_clip(delta, clips, run=lambda n, x: {"object": with_level(n, x)["settings"]})
    _Rows.frame_outputs = lambda self, frames: self.layers(frames)
    try:
        delta = dd.convert(_Rows().eval(), dd.LinearStudent(gamma=2))
        assert dd.forward_clip(delta, clips, run=frame_outputs).shape[:2] == clips.shape[:2]
    finally:
        del _Rows.frame_outputs
