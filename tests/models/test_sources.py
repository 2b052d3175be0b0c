"""Where networks come from by the form of their names, and which names a file may say."""

import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from preparation.onnx_by_hand import write_convolution
from torch import nn
from torchvision.models import squeezenet1_1
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

import deltadistill as dd
from deltadistill import models
from deltadistill.models import sources

BUILD = """
from torch import nn

def net(*, classes, **options):
    return nn.Conv2d(3, classes, 1, **options)
"""
FRAMES = torch.rand(2, 3, 64, 64)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("mine", "nets_of_mine"):
        (tmp_path / f"{name}.py").write_text(BUILD)
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("ddrnet23_slim", "table"),
        ("mine", "networks"),
        ("../mine", "networks"),
        ("mine.py:net", "file"),
        ("/some/where/mine.py:net", "file"),
        ("extensions.mine:net", "module"),
        ("torchvision:resnet18", "torchvision"),
        ("timm:resnet18", "timm"),
        ("weights/mine.onnx", "onnx"),
    ],
)
def test_the_form_of_a_name_says_the_source(name, source):
    assert sources.source_of(name) == source


@pytest.mark.parametrize("name", ["mine.py:net", "nets_of_mine:net"])
def test_a_function_of_a_file_or_a_module_builds_with_its_options(folder, name):
    assert models.build(name, classes=5).weight.shape == (5, 3, 1, 1)
    assert models.build(name, classes=5, bias=False).bias is None


def test_the_function_that_a_name_leads_to_has_to_be_there(folder):
    with pytest.raises(ValueError, match=r"there is no file other.py in "):
        models.build("other.py:net", classes=2)
    with pytest.raises(ValueError, match=r"mine.py: defines no build\(\*, classes, \*\*options\)"):
        models.build("mine.py:build", classes=2)
    with pytest.raises(ValueError, match="model 'nets_of_yours:net': there is no module 'nets_of_yours'"):
        models.build("nets_of_yours:net", classes=2)
    with pytest.raises(ValueError, match="model 'nets_of_mine:nn' is no function of classes"):
        models.build("nets_of_mine:nn", classes=2)


def test_torchvisions_networks_have_random_weights_and_as_many_classes_as_asked_for():
    torch.manual_seed(3)
    found = models.build("torchvision:squeezenet1_1", classes=7).eval()
    torch.manual_seed(3)
    expected = squeezenet1_1(weights=None, num_classes=7).eval()
    assert torch.equal(found(FRAMES), expected(FRAMES))


def test_torchvisions_segmentation_networks_return_their_logits():
    torch.manual_seed(3)
    found = models.build("torchvision:lraspp_mobilenet_v3_large", classes=4).eval()
    torch.manual_seed(3)
    expected = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).eval()
    assert torch.equal(found(FRAMES), expected(FRAMES)["out"])


def test_a_name_or_an_option_that_torchvision_does_not_have_is_said():
    with pytest.raises(ValueError, match="torchvision has no such network; near: resnet"):
        models.build("torchvision:resnet17", classes=2)
    with pytest.raises(ValueError, match=r"'torchvision:resnet18' does not take its options: .*depth"):
        models.build("torchvision:resnet18", classes=2, depth=3)
    with pytest.raises(ValueError, match=r"weights is no option; load weights from a file \(start_from\)"):
        models.build("torchvision:resnet18", classes=2, weights="DEFAULT")


def test_timms_networks_have_random_weights_and_as_many_classes_as_asked_for():
    torch.manual_seed(3)
    found = models.build("timm:mobilenetv3_small_050", classes=7).eval()
    torch.manual_seed(3)
    expected = timm.create_model("mobilenetv3_small_050", num_classes=7).eval()
    assert torch.equal(found(FRAMES), expected(FRAMES))
    with pytest.raises(ValueError, match=r"timm has no such network; near: .*resnet18"):
        models.build("timm:resnet17", classes=2)
    with pytest.raises(ValueError, match="'timm:resnet18': pretrained is no option; load weights"):
        models.build("timm:resnet18", classes=2, pretrained=True)


def test_without_onnx2pytorch_it_is_said_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx2pytorch", None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, "onnx", None)
    write_convolution(folder / "net.onnx", np.ones((4, 3), np.float32), ["n", 3, "h", "w"])
    with pytest.raises(ValueError, match=r"net.onnx: .*not installed; pip install 'deltadistill\[onnx\]'"):
        models.build("net.onnx", classes=4)
    with pytest.raises(ValueError, match=r"there is no ONNX file other\.onnx in "):
        models.build("other.onnx", classes=4)


def test_an_onnx_file_becomes_a_network_that_converts(folder):
    pytest.importorskip("onnx2pytorch", reason="an optional package")
    weights = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    write_convolution(folder / "net.onnx", weights, ["n", 3, "h", "w"])
    network = models.build("net.onnx", classes=4).eval()
    expected = torch.einsum("kc,nchw->nkhw", torch.from_numpy(weights), FRAMES)
    torch.testing.assert_close(network(FRAMES), expected)
    converted = dd.convert(network, dd.LinearStudent(keep_dearer=True), where=dd.all_convolutions)
    torch.testing.assert_close(dd.Stream(converted, period=2)(FRAMES), expected)
    with pytest.raises(ValueError, match="first output has 4 channels, where 5 classes are needed"):
        models.build("net.onnx", classes=5)
    Path("net.onnx").write_bytes(b"some network")
    with pytest.raises(ValueError, match=r"net\.onnx: not an ONNX file that can be read"):
        models.build("net.onnx", classes=4)


@pytest.mark.parametrize("name", ["mine.py:net", "nets_of_mine:net", "net.onnx"])
def test_a_network_file_leads_to_code_anywhere_only_where_the_caller_names_it_too(folder, name):
    model = {"name": name, "classes": 2, "options": {}}
    dd.save_network(folder / "network.pt", nn.Conv2d(3, 2, 1), model)
    for file in ("mine.py", "nets_of_mine.py"):
        (folder / file).write_text("raise SystemExit('executed')\n")
    with pytest.raises(ValueError, match=rf"on the word of a file; .* own_names=\['{name}'"):
        dd.load_network(folder / "network.pt")
    with pytest.raises(ValueError, match="on the word of a file"):
        dd.load_network(folder / "network.pt", own_names=["another.py:net"])


def test_a_network_of_the_callers_own_comes_back(folder):
    saved = models.build("mine.py:net", classes=2)
    dd.save_network(folder / "network.pt", saved, {"name": "mine.py:net", "classes": 2, "options": {}})
    loaded = dd.load_network(folder / "network.pt", own_names=["mine.py:net"])
    assert torch.equal(loaded(FRAMES), saved(FRAMES))


def test_torchvisions_networks_come_back_from_a_file(folder):
    saved = models.build("torchvision:squeezenet1_1", classes=2).eval()
    model = {"name": "torchvision:squeezenet1_1", "classes": 2, "options": {}}
    dd.save_network(Path("network.pt"), saved, model)
    assert torch.equal(dd.load_network("network.pt")(FRAMES), saved(FRAMES))


@pytest.mark.parametrize("options", [{"weights": "DEFAULT"}, {"weights_backbone": "DEFAULT"}])
def test_a_file_makes_torchvision_download_nothing(folder, options):
    model = {"name": "torchvision:fcn_resnet50", "classes": 2, "options": options}
    dd.save_network(folder / "network.pt", nn.Conv2d(3, 2, 1), model)
    with pytest.raises(ValueError, match="is no option"):
        dd.load_network(folder / "network.pt")
