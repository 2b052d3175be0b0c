"""An inspection spends no time on imports that it does not need, nor on pictures made large again."""

import subprocess
import sys
from copy import deepcopy
from typing import ClassVar

import pytest
import torch
from torch import nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from deltadistill.blocks.linear import LinearStudent
from deltadistill.command import inspection, layer_times
from deltadistill.stored.named_network import NamedNetwork


def test_torchvision_is_imported_for_its_own_networks_alone():
    code = "import sys, deltadistill.command.inspection; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.transform = GeneralizedRCNNTransform(800, 1333, [0.0] * 3, [1.0] * 3)


class Choosing(nn.Module):
    """A detector that keeps the scores above 0, and so needs values; it counts its passes on them."""

    passes: ClassVar[list[str]] = []

    def __init__(self):
        super().__init__()
        self.first, self.inner, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 2, 1)

    def forward(self, pictures):
        maps = self.last(self.inner(self.first(torch.stack(pictures))))
        kept = maps[maps > 0]
        self.passes.append(tuple(pictures[0].shape))
        return kept.sum()


Choosing.__module__ = "torchvision.models.detection.mine"


def test_accounts_of_a_detector_run_it_on_values_six_times(monkeypatch):
    """In one pass MACs and memory of a frame; five for the stream: norms, maps, and three functions."""
    monkeypatch.setattr(layer_times, "_SECONDS", 0.0)  # one round
    Choosing.passes.clear()
    size = (160, 192)
    students = LinearStudent(gamma=2, rank="min", initialisation="random")
    named = NamedNetwork(Choosing().eval(), {"name": "mine"})
    found = inspection.inspected(named, size, students, [5], torch.device("cpu"))
    assert found["nothing_converts"] is None
    assert found["stream_memory"]["problem"] is None
    assert Choosing.passes.count((3, *size)) == 1 + 1 + 5


def _first(example):
    return example[0][0] if isinstance(example, tuple) else example[0]  # of a list, or of frames


@pytest.mark.parametrize("module", ["torchvision.models.detection.mine", "mine"])
def test_detectors_are_converted_on_pictures_that_stay_small(monkeypatch, module):
    monkeypatch.setattr(Detector, "__module__", module)
    seen = []

    def convert(network, students, where, *, example, progress):
        seen.append((network.transform.min_size, network.transform.max_size, tuple(_first(example).shape)))
        return deepcopy(network)

    monkeypatch.setattr(inspection, "convert", convert)
    network = Detector()
    delta = inspection._converted_on_small(network, None, inspection._entry(network, (256, 512)), (128, 160))
    assert seen == [((128,), 160, (3, 128, 160))]
    for each in (network, delta):
        assert (each.transform.min_size, each.transform.max_size) == ((800,), 1333)
