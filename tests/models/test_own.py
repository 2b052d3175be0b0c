"""Networks of one's own, from the folder networks/."""

from pathlib import Path

import pytest
import torch
from torch import nn

from deltadistill import models

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "networks").mkdir()
    return tmp_path / "networks"


def test_a_file_makes_a_network_of_its_name(folder):
    (folder / "tiny.py").write_text(
        "from torch import nn\ndef build(*, classes, width=2):\n    return nn.Conv2d(width, classes, 1)\n"
    )
    assert models.build("tiny", classes=5, width=3).weight.shape == (5, 3, 1, 1)
    with pytest.raises(ValueError, match="no option depth; known: width"):
        models.build("tiny", classes=5, depth=3)


def test_an_unknown_name_says_where_a_network_of_ones_own_would_be(folder):
    (folder / "tiny.py").write_text("")
    with pytest.raises(ValueError, match=r"known: .*, tiny; your own: networks/huge\.py"):
        models.build("huge", classes=2)


def test_a_file_without_a_builder_is_refused_by_name(folder):
    (folder / "empty.py").write_text("x = 1\n")
    with pytest.raises(ValueError, match=r"networks/empty\.py: defines no build"):
        models.build("empty", classes=2)


@pytest.mark.parametrize("name", ["../evil", "a/b", "evil.py", "/tmp/evil", ""])
def test_a_name_cannot_lead_out_of_the_folder(folder, name):
    (folder.parent / "evil.py").write_text("raise SystemExit('executed')\n")
    with pytest.raises(ValueError, match="unknown model"):
        models.build(name, classes=2)


def test_the_projects_example_maps_frames_to_logits(monkeypatch):
    monkeypatch.chdir(ROOT)
    network = models.build("lraspp", classes=6).eval()
    assert isinstance(network, nn.Module)
    assert network(torch.zeros(2, 3, 64, 96)).shape == (2, 6, 64, 96)


def test_shapes_of_a_network_that_brings_its_weights_are_known_too(folder):
    (folder / "own.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def build(*, classes):\n"
        "    layer = nn.Conv2d(2, classes, 1)\n"
        "    weights = torch.frombuffer(bytearray(8 * classes), dtype=torch.float32)\n"
        "    layer.weight.data = weights.view(classes, 2, 1, 1)\n"
        "    return layer\n"
    )
    with torch.device("meta"), pytest.raises(RuntimeError):  # it cannot be built without values
        models.build("own", classes=5)
    found = models.build_shapes("own", classes=5)
    assert (found.weight.shape, found.weight.device.type) == ((5, 2, 1, 1), "meta")
    assert models.build_shapes("jitnet", classes=3).conv1.weight.device.type == "meta"
    with pytest.raises(ValueError, match="unknown model 'none'"):
        models.build_shapes("none", classes=3)
