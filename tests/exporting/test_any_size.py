"""Graphs for frames of any size: which sides change; what does not allow it is named and nothing written."""

import json

import pytest
import torch
from architectures import build
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.any_size import other_example, size_axes
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.onnx_graphs import ExportError


def converted(network: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    network = dd.convert(
        network.eval(), dd.LinearStudent(gamma=2, keep_dearer=True), where=dd.all_convolutions
    )
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


@pytest.mark.parametrize(
    ("size", "other"),
    [((512, 1024), (576, 1088)), ((416, 416), (448, 480)), ((16, 24), (32, 32)), ((15, 15), (16, 17))],
)
def test_the_other_size_is_divided_as_often_by_two_and_of_another_ratio(size, other):
    made = tuple(other_example(torch.zeros(1, 3, *size)).shape[2:])
    assert made == other
    assert made[0] * size[1] != made[1] * size[0]


def test_sides_are_named_by_what_they_are_of_the_frames(tmp_path):
    functions = delta_functions(converted(build("ddrnet")), torch.rand(1, 3, 32, 64))
    axes = size_axes(functions, other_example(functions.example))
    assert axes["frame"] == {2: "height", 3: "width"}
    assert axes["output"] == {2: "height", 3: "width"}
    assert {2: "height/4", 3: "width/4"} in axes.values()
    cropped = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1))
    functions = delta_functions(converted(cropped), torch.rand(1, 3, 16, 24))
    assert size_axes(functions, torch.rand(1, 3, 32, 32))["output"] == {2: "output:2", 3: "output:3"}


def test_the_description_tells_the_sizes_of_the_example(tmp_path):
    network = converted(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 3, 2, 1)))
    dd.export(network, tmp_path / "runner", example=torch.rand(1, 3, 16, 24), any_size=True)
    told = json.loads((tmp_path / "runner" / "runner.json").read_text())
    assert told["frame"]["shape"] == [1, 3, "height", "width"]
    assert told["maps"][1]["shape"] == [1, 2, "height/2", "width/2"]
    assert told["sizes"] == {"height": 16, "width": 24, "height/2": 8, "width/2": 12}


class Fixed(nn.Module):
    """Takes the size of its input for a number, in one way or another."""

    def __init__(self, way):
        super().__init__()
        self.way = way

    def forward(self, x):
        height, width = int(x.shape[2]), int(x.shape[3])
        if self.way == "baked":
            return x.reshape(1, 4, height * width).mean(2)
        if self.way == "branch":
            return x + 1 if height > 20 else x
        if self.way == "linear":
            return nn.functional.linear(x, torch.ones(2, 24))
        return nn.functional.adaptive_avg_pool2d(x, (3, 5))


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("baked", r"the operator Reshape of layer 'last' takes the size of the example for granted"),
        ("branch", r"the operator \w+ of layer 'last' takes the size of the example for granted"),
        ("linear", r"no frames of 32×32: the operator linear of layer 'last' says: .*24"),
        ("pool", r"adaptive_avg_pool2d.* is called by layer 'last'"),
    ],
)
def test_what_does_not_allow_another_size_is_named_and_nothing_is_written(tmp_path, way, message):
    network = nn.Sequential()
    network.add_module("conv", nn.Conv2d(3, 4, 3, padding=1))
    network.add_module("last", Fixed(way))
    network = converted(network)
    with pytest.raises(ExportError, match=message):
        dd.export(network, tmp_path / "runner", example=torch.rand(1, 3, 16, 24), any_size=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_for_one_size_is_refused_beside_it(tmp_path):
    network, example = converted(nn.Sequential(nn.Conv2d(3, 4, 3))), torch.rand(1, 3, 16, 24)
    with pytest.raises(ValueError, match="any_size and packages are given, which are for one size"):
        dd.export(network, tmp_path / "runner", example=example, any_size=True, packages=True)
    form = dd.PictureForm(size=(16, 24))
    with pytest.raises(ValueError, match="any_size and pictures"):
        dd.export(network, tmp_path / "runner", example=example, any_size=True, pictures=form)
