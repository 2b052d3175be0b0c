"""Files of networks that label: what they give, and what is refused."""

import sys

import pytest
import torch
from torch import nn
from torchvision.models import segmentation

from deltadistill import models
from deltadistill.preparation.labeller import Labeller, open_labeller
from deltadistill.stored.network_file import save_network

CPU = torch.device("cpu")
FRAMES = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
MODEL = {"name": "ddrnet23_slim", "classes": 8, "options": {"width": 8}}


def opened(path, kind, *, size=None, architecture="lraspp_mobilenet_v3_large", gives="logits"):
    return open_labeller(path, kind, architecture=architecture, gives=gives, size=size, device=CPU)


@pytest.fixture(scope="module")
def lraspp():
    torch.manual_seed(0)
    return segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5).eval()


def test_a_checkpoint_of_this_project_labels(tmp_path):
    network = models.build(MODEL["name"], classes=8, width=8).eval()
    save_network(tmp_path / "teacher.pt", network, MODEL)
    with torch.no_grad():
        assert torch.equal(opened(tmp_path / "teacher.pt", "checkpoint").logits(FRAMES), network(FRAMES))


def test_weights_of_torchvision_label_for_as_many_classes_as_they_have(tmp_path, lraspp):
    torch.save(lraspp.state_dict(), tmp_path / "lraspp.pth")
    with torch.no_grad():
        expected = lraspp(FRAMES)["out"]
    assert torch.equal(opened(tmp_path / "lraspp.pth", "torchvision").logits(FRAMES), expected)
    assert expected.shape[1] == 5


def test_an_auxiliary_classifier_is_left_out(tmp_path):
    build = segmentation.deeplabv3_mobilenet_v3_large
    network = build(weights=None, weights_backbone=None, num_classes=3, aux_loss=True).eval()
    torch.save({"model": network.state_dict()}, tmp_path / "deeplab.pth")  # as training scripts nest it
    found = opened(tmp_path / "deeplab.pth", "torchvision", architecture="deeplabv3_mobilenet_v3_large")
    with torch.no_grad():
        assert torch.equal(found.logits(FRAMES), network(FRAMES)["out"])


def test_a_network_may_see_frames_at_a_size_of_its_own():
    seen = []

    def forward(frames):
        seen.append(frames.shape)
        return frames[:, :2, ::8, ::8]  # logits at an eighth of what it saw

    logits = Labeller(forward, (32, 48), "net").logits(FRAMES)
    assert seen == [(2, 3, 32, 48)]
    assert logits.shape == (2, 2, 64, 96)


def test_logits_are_those_of_the_middle_of_their_cells():
    coarse = torch.tensor([[[[0.0, 4.0]]]])  # one row of two cells, over four columns
    logits = Labeller(lambda frames: coarse, None, "net").logits(torch.zeros(1, 3, 1, 4))
    assert logits.flatten().tolist() == [0.0, 1.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.zeros(2, 4, 6, dtype=torch.int64), r"net: .*class logits .*this one torch.int64 \(2, 4, 6\)"),
        ({"boxes": torch.zeros(2, 4)}, "net: .*this one NoneType"),
        ((torch.zeros(2, 4),), "net: .*this one tuple"),
    ],
)  # fmt: skip
def test_a_network_that_gives_no_logits_is_refused(output, message):
    with pytest.raises(ValueError, match=message):
        Labeller(lambda frames: output, None, "net").logits(FRAMES)


def test_weights_of_another_architecture_are_refused(tmp_path, lraspp):
    torch.save(lraspp.state_dict(), tmp_path / "lraspp.pth")
    with pytest.raises(
        ValueError, match=r"lraspp.pth: no weights of fcn_resnet50: classifier.4.bias is miss"
    ):
        opened(tmp_path / "lraspp.pth", "torchvision", architecture="fcn_resnet50")


def test_weights_with_a_part_missing_are_refused(tmp_path, lraspp):
    weights = lraspp.state_dict()
    del weights["backbone.0.0.weight"]
    torch.save(weights, tmp_path / "lraspp.pth")
    with pytest.raises(
        ValueError, match=r"lraspp.pth: the weights do not fit .*backbone.0.0.weight is missing"
    ):
        opened(tmp_path / "lraspp.pth", "torchvision")


def test_weights_that_would_run_code_are_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(ValueError, match=r"whole.pth: not readable as tensors"):
        opened(tmp_path / "whole.pth", "torchvision")


@pytest.mark.parametrize("kind", ["checkpoint", "torchvision", "onnx"])
@pytest.mark.parametrize("content", [None, b"nonsense, whatever the reader"])
def test_files_that_are_missing_or_of_another_kind_are_named(tmp_path, kind, content):
    path = tmp_path / "network.bin"
    if content:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"network\.bin: "):
        opened(path, kind)


def test_without_onnx_runtime_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    (tmp_path / "network.onnx").write_bytes(b"some network")
    with pytest.raises(ValueError, match=r"network.onnx: .*not installed; pip install onnxruntime"):
        opened(tmp_path / "network.onnx", "onnx")
