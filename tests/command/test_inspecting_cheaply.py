"""An inspection spends no time on imports that it does not need, nor on pictures made large again."""

import subprocess
import sys
from copy import deepcopy

from torch import nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from deltadistill.command import inspection


def test_torchvision_is_imported_for_its_own_networks_alone():
    code = "import sys, deltadistill.command.inspection; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.transform = GeneralizedRCNNTransform(800, 1333, [0.0] * 3, [1.0] * 3)


Detector.__module__ = "torchvision.models.detection.mine"


def test_detectors_are_converted_on_pictures_that_stay_small(monkeypatch):
    seen = []

    def convert(network, students, where, *, example, progress):
        seen.append((network.transform.min_size, network.transform.max_size, tuple(example[0][0].shape)))
        return deepcopy(network)

    monkeypatch.setattr(inspection, "convert", convert)
    network = Detector()
    delta = inspection._converted_on_small(network, None, inspection._entry(network, (256, 512)), (128, 160))
    assert seen == [((128,), 160, (3, 128, 160))]
    for each in (network, delta):
        assert (each.transform.min_size, each.transform.max_size) == ((800,), 1333)
