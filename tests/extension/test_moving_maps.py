"""Students from outside whose rule moves the cached maps along with the picture, and without candidates."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.design import StudentDesign
from deltadistill.blocks.designs import student_design
from deltadistill.blocks.rule import Rule
from deltadistill.stored.architecture import found_architecture, load_network


class FollowRule(Rule):
    """A later frame's map is the key frame's, where the picture has moved it."""

    def state_of(self, parts, x, z):
        return (z.clone(),)

    def carry(self, state, motion):  # (N, 2, H, W): x before = x + motion
        x, y = (-int(motion[0, axis].mean().round()) for axis in (0, 1))
        return (state[0].roll((y, x), (2, 3)),)

    def delta(self, parts, x, state):
        return state[0].clone(), state


@dataclass(frozen=True)
class Follow(StudentDesign):
    def rule(self, predicts):
        return FollowRule()


MODEL = {"name": "extension.test_moving_maps:pointwise", "classes": 3, "options": {}}


def pointwise(classes):
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, classes, 1))


@pytest.fixture
def network():
    torch.manual_seed(0)
    design = student_design({"kind": f"{__name__}:Follow"})
    return dd.convert(pointwise(3).eval(), design, dd.all_convolutions), design


def test_maps_that_follow_the_picture_are_those_of_every_frame_run_in_full(network, tmp_path):
    first, deployed = torch.rand(2, 3, 6, 8), dd.deploy(network[0])
    architecture = found_architecture(deployed, network[1])
    dd.save_network(tmp_path / "network.pt", deployed, MODEL, architecture=architecture)
    loaded = load_network(tmp_path / "network.pt", own_names=[MODEL["name"]])
    for stream in (dd.Stream(deployed, period=9), dd.Stream(loaded, period=9)):
        for step in range(4):  # two pixels to the right and one down, frame after frame
            frame = first.roll((step, 2 * step), (2, 3))
            motion = torch.tensor([-2.0, -1.0])[None, :, None, None].expand(2, 2, 6, 8)
            torch.testing.assert_close(stream(frame, motion=motion), deployed(frame))
            assert stream.is_key_frame == (step == 0)
