"""Faster R-CNN: the dilated body, detections in pixels of the frame, losses, the parts of fixed shape."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill import models
from deltadistill.models.faster_rcnn import FixedShapes, RoIAlign

SMALL = {
    "classes": 3,
    "short_side": 64,
    "long_side": 96,
    "features": 8,
    "box_features": 16,
    "layers": (1, 1, 1, 2),
}


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return models.build("faster_rcnn_r101", **SMALL).eval()


@pytest.fixture(scope="module")
def published():
    with torch.device("meta"):
        return models.build("faster_rcnn_r101", classes=30)


def test_the_published_network_has_its_shapes(published):
    shapes = {name: tuple(p.shape) for name, p in published.named_parameters()}
    assert shapes["backbone.neck.0.weight"] == (512, 2048, 3, 3)
    assert shapes["rpn.head.conv.0.0.weight"] == (512, 512, 3, 3)
    assert shapes["rpn.head.cls_logits.weight"] == (12, 512, 1, 1)
    assert shapes["roi_heads.box_head.fc6.weight"] == (1024, 512 * 7 * 7)
    assert shapes["roi_heads.box_predictor.cls_score.weight"] == (31, 1024)
    assert [len(published.backbone.body.get_submodule(f"layer{i}")) for i in (1, 2, 3, 4)] == [3, 4, 23, 3]


def test_the_last_stage_is_dilated_from_its_first_block_on(published):
    threes = [m for m in published.backbone.body.layer4.modules() if getattr(m, "kernel_size", 0) == (3, 3)]
    assert [(m.dilation, m.padding, m.stride) for m in threes] == [((2, 2), (2, 2), (1, 1))] * 3
    assert published.backbone.body.layer4[0].downsample[0].stride == (1, 1)


def test_the_feature_map_has_a_sixteenth_of_the_size(small):
    with torch.no_grad():
        assert small.backbone(torch.zeros(1, 3, 64, 96)).shape == (1, 8, 4, 6)


def test_anchors_are_four_sizes_by_three_ratios(published):
    (anchors,) = published.rpn.anchor_generator.cell_anchors
    assert anchors.shape == (12, 4)
    square = published.rpn.anchor_generator.generate_anchors((64, 128, 256, 512), (1.0,), device="cpu")
    assert (square[:, 2] - square[:, 0]).tolist() == [64, 128, 256, 512]


def test_detections_lie_within_the_frame_and_have_known_labels(small):
    with torch.no_grad():
        detections = small(torch.randn(2, 3, 96, 128))
    assert len(detections) == 2
    for found in detections:
        assert found["boxes"].shape == (len(found["labels"]), 4)
        assert 0 < len(found["scores"]) <= 100
        assert set(found["labels"].tolist()) <= {1, 2, 3}
        assert found["boxes"].min() >= 0
        assert found["boxes"][:, 2].max() <= 128
        assert found["boxes"][:, 3].max() <= 96


def test_training_gives_four_losses_with_gradients():
    model = models.build("faster_rcnn_r101", **SMALL).train()
    target = {"boxes": torch.tensor([[8.0, 8.0, 60.0, 50.0]]), "labels": torch.tensor([2])}
    losses = model(torch.randn(2, 3, 64, 96), [target, target])
    assert set(losses) == {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg"}
    sum(losses.values()).backward()
    assert model.backbone.body.conv1.weight.grad.abs().sum() > 0


def test_crops_of_a_linear_map_are_its_values_at_the_bin_centres():
    columns = (torch.arange(8.0) + 0.5).expand(1, 1, 8, 8)  # the column's centre, in feature positions
    (crop,) = RoIAlign()({"0": columns}, [torch.tensor([[16.0, 16.0, 128.0, 128.0]])], [(128, 128)])
    torch.testing.assert_close(crop[0, 0, :6], torch.arange(1.5, 7.5))


def test_a_converted_detector_detects_as_its_teacher_outside_of_a_clip(small):
    network = dd.convert(
        small, dd.LinearStudent(gamma=4, rank="min", initialisation="random"), models.published_convolutions
    )
    frame = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(network(frame), small(frame))


def test_the_first_and_the_two_that_propose_are_excluded(small):
    names = [name for name, module in small.named_modules() if isinstance(module, nn.Conv2d)]
    assert small.excluded_layers == (names[0], *names[-2:])
    assert models.published_convolutions(small) == names[1:-2]


def test_the_parts_of_fixed_shape_are_the_detectors_own(small):
    parts = FixedShapes(small, proposals=5)
    own = dict(small.named_parameters())
    assert {name: id(p) for name, p in parts.named_parameters()} == {name: id(p) for name, p in own.items()}
    with torch.no_grad():
        _, _, logits, offsets = parts(torch.zeros(2, 3, 64, 96))
    assert (logits.shape, offsets.shape) == ((10, 4), (10, 16))
    with pytest.raises(ValueError, match="proposals must be"):
        FixedShapes(small, proposals=0)
