"""Each published experiment, at its own architecture and settings, on small data of the right layout."""

import pytest
import torch
from check_experiment import check, experiment_values
from faults.pipeline import STAGES
from workflow.layouts import (
    make_celeba,
    make_cifar10,
    make_cityscapes,
    make_imagenet,
    make_stl10,
    make_vid,
)

from deltadistill import models

CITYSCAPES = ("ddrnet23_slim", "ddrnet23", "ddrnet39", "hrnet_w18_small")
VID = ("efficientdet_d0", "faster_rcnn_r101")
MINUTES = pytest.mark.published  # the others run in make test
# Faster R-CNN takes frames of any size, and minutes for each of the published one; at this one its fully
# connected layers, which the published network keeps, outweigh what can be compressed.
SMALL = (
    "model.options={short_side: 128, long_side: 256}",
    "prepare_dataset.imagenet_vid.height=128",
    "prepare_dataset.imagenet_vid.width=256",
    "pretrain_teacher.augment.crop=[128, 256]",
    "distill.augment.crop=[128, 256]",
    "distill.search.target={cost: 0.95, length: 10}",
)


@pytest.fixture(scope="module")
def cityscapes(tmp_path_factory):
    return make_cityscapes(tmp_path_factory.mktemp("cityscapes"))


@pytest.fixture(scope="module")
def vid(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return make_vid(tmp_path_factory.mktemp("vid"), patch)


@pytest.fixture
def weights(request, tmp_path):
    """The experiment's network as a file of tensors by name, as others publish them."""
    torch.manual_seed(0)
    name, classes = request.param
    path = tmp_path / f"{name.rpartition(':')[2]}.pth"
    torch.save({"state_dict": models.build(name, classes=classes).state_dict()}, path)
    return path


def runs(name, root, kind, weights, *more):
    """Check an experiment on the data set at `root`, with `more` values changed."""
    changes = [*more, f"prepare_dataset.{kind}.root={root}", f"pretrain_teacher.start_from={weights}"]
    if kind == "imagenet_vid":
        changes.append(f"prepare_dataset.{kind}.workers=1")  # more take longer to start than to read
    findings = {finding.what: finding for finding in check(name, experiment_values(name, changes))}
    wrong = {what: finding.todo for what, finding in findings.items() if not finding.is_fine}
    assert {what: todo for what, todo in wrong.items() if not what.startswith(("memory", "disk"))} == {}
    assert {what.split("@")[0] for what in findings} >= set(STAGES) - {"prepare_dataset", "evaluate_videos"}
    return findings


@pytest.mark.parametrize(
    ("name", "weights"),
    [pytest.param(n, (n, 19), marks=[] if n == "ddrnet23_slim" else MINUTES) for n in CITYSCAPES],
    indirect=["weights"],
)
def test_every_stage_of_a_row_on_cityscapes_runs(name, cityscapes, weights):
    findings = runs(f"cityscapes_{name}", cityscapes, "cityscapes", weights)
    assert "train 2 clips, 60 frames, 2 annotated" in findings["data"].found
    assert (
        "batch 2 of 12, crop 128×256 of 512×1024" in findings["write_report@" + f"cityscapes_{name}"].needed
    )
    assert "0 unused" in findings["weights"].found


@pytest.mark.parametrize(
    ("name", "weights"), [pytest.param(n, (n, 30), marks=MINUTES) for n in VID], indirect=["weights"]
)
def test_every_stage_of_a_row_on_vid_runs(name, vid, weights):
    changes = SMALL if name == "faster_rcnn_r101" else ()
    findings = runs(f"vid_{name}", vid, "imagenet_vid", weights, *changes)
    assert "train 4 clips, 22 frames, 22 annotated" in findings["data"].found
    assert "0 unused" in findings["weights"].found


@MINUTES
@pytest.mark.parametrize("network", ["mobilenetv2", "mobilenetv3_small"])
def test_every_stage_of_a_row_on_stl10_runs(network, tmp_path):
    findings = runs(f"stl10_{network}", make_stl10(tmp_path / "stl10"), "stl10", "weights/random")
    assert "train 9 clips, 9 frames, 9 annotated" in findings["data"].found


@MINUTES
@pytest.mark.parametrize(
    ("name", "weights"),
    [("resnet18", ("torchvision:resnet18", 2)), ("resnet50", ("torchvision:resnet50", 2))],
    indirect=["weights"],
)
def test_every_stage_of_a_row_on_imagenet_runs(name, weights, tmp_path):
    root = make_imagenet(tmp_path / "imagenet")
    findings = runs(
        f"imagenet_{name}", root, "imagefolder", weights, "prepare_dataset.imagefolder.tune_every=3"
    )
    assert "train 4 clips, 4 frames, 4 annotated" in findings["data"].found
    assert "0 unused" in findings["weights"].found


@MINUTES
@pytest.mark.parametrize(
    ("kind", "make", "found"),
    [
        ("cifar10", make_cifar10, "train 9 clips, 9 frames"),
        ("celeba", make_celeba, "train 2 clips, 2 frames"),
    ],
)
def test_every_stage_of_a_denoisers_row_runs(kind, make, found, tmp_path):
    findings = runs(f"{kind}_ddpm", make(tmp_path / kind), kind, "weights/random")
    assert found in findings["data"].found
