"""A student design from outside the package, without candidates: later frames repeat the key frame's maps."""

from dataclasses import dataclass

import pytest
import torch

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.design import StudentDesign
from deltadistill.blocks.designs import student_design
from deltadistill.blocks.rule import Rule
from deltadistill.stored.architecture import found_architecture, load_network

MODEL = {"name": "ddrnet23_slim", "classes": 4, "options": {"width": 8, "stem_strides": [2, 1]}}


class RepeatRule(Rule):
    def state_of(self, parts, x, z):
        return (z.clone(),)

    def delta(self, parts, x, state):
        return state[0].clone(), state


@dataclass(frozen=True)
class Repeat(StudentDesign):
    fewest_channels: int = 1

    def reason_against(self, module):
        return None if module.out_channels >= self.fewest_channels else "too few channels"

    def rule(self, predicts):
        return RepeatRule()


@pytest.fixture
def design():
    return student_design({"kind": f"{__name__}:Repeat", "fewest_channels": 16})


def test_a_design_named_by_its_path_is_converted_run_counted_saved_and_loaded(design, tmp_path):
    torch.manual_seed(0)
    teacher = dd.models.build(MODEL["name"], classes=4, **MODEL["options"]).eval()
    network, clip = dd.convert(teacher, design, dd.inner_convolutions), torch.rand(2, 4, 3, 32, 48)
    assert 0 < len(delta_blocks(network)) < len(dd.inner_convolutions(teacher))
    outputs, stream = dd.forward_clip(network, clip).detach(), dd.Stream(network, period=4)
    torch.testing.assert_close(torch.stack([stream(frame) for frame in clip.unbind(1)], 1), outputs)
    torch.testing.assert_close(outputs[:, 0], teacher(clip[:, 0]))  # T = 1
    still = dd.forward_clip(network, clip[:, :1].expand(-1, 3, -1, -1, -1))
    torch.testing.assert_close(still, still[:, :1].expand_as(still))
    table = dd.count_macs(network, (3, 32, 48))
    rest = sum(row.teacher_macs for row in table.rows if row.chosen is None)
    assert (table.key, table.delta) == (dd.count_macs(teacher, (3, 32, 48)).teacher, rest)
    deployed, found = dd.deploy(network), found_architecture(network, design)
    assert set(found["blocks"].values()) == {"rule"}
    dd.save_network(tmp_path / "network.pt", deployed, MODEL, architecture=found)
    loaded = load_network(tmp_path / "network.pt")
    torch.testing.assert_close(dd.forward_clip(loaded, clip).detach(), outputs)
