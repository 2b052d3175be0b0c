"""Faster R-CNN: the dilated body, detections in pixels of the frame, losses, the parts of fixed shape."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill import models
from deltadistill.forward.outputs import frame_outputs
from deltadistill.models.faster_rcnn import FixedShapes, RoIAlign, flat_maps

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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": [1, 1]}, r"layers counts the residual blocks of four stages.*got \[1, 1\]"),
        ({"layers": [1, 1, 0, 1]}, r"layers\[2\] must be a whole number of at least 1, got 0"),
        ({"layers": 18}, "layers counts the residual blocks of four stages"),
        ({"width": 0}, "width must be"),
        ({"proposals": 0}, "proposals must be"),
        ({"proposals_in_training": 1.5}, "proposals_in_training must be"),
        ({"anchor_scales": []}, "anchor_scales lists lengths above 0"),
        ({"anchor_scales": [2, -1]}, "anchor_scales lists lengths above 0"),
        ({"anchor_scales": "4"}, "anchor_scales lists lengths above 0"),
        ({"short_side": 128}, "short_side 128 exceeds long_side 96"),
    ],
)
def test_options_that_make_no_detector_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        models.build("faster_rcnn_r101", **SMALL | options)


def test_smaller_networks_of_the_family():
    options = SMALL | {"width": 4, "anchor_scales": [1, 2.5], "proposals": 5}
    network = models.build("faster_rcnn_r101", **options).eval()
    assert network.backbone.neck[0].in_channels == 128
    maps = frame_outputs(network, torch.randn(2, 3, 64, 96))
    assert maps["objectness"].shape == (2, 6, 4, 6)
    assert maps["offsets"].shape == (2, 24, 4, 6)
    assert all(0 < len(boxes) <= 5 for boxes in network.propose(maps, at_most=5))


def test_maps_have_frames_first_and_say_how_frames_were_resized(small):
    maps = frame_outputs(small, torch.randn(2, 3, 32, 40))  # ×2, and 80 columns are padded to 80
    assert maps["features"].shape == (2, 8, 4, 5)
    assert maps["sizes"].tolist() == [[[32, 40], [64, 80]]] * 2


@pytest.mark.parametrize("size", [(64, 96), (50, 70), (97, 61), (30, 90)])
def test_frames_are_resized_and_filled_as_torchvision_does(small, size):
    frames = torch.randn(2, 3, *size)
    images, _ = small.transform(list(frames))
    with torch.no_grad():
        maps = frame_outputs(small, frames)
        torch.testing.assert_close(maps["features"], small.backbone(images.tensors))
    assert maps["sizes"][1].tolist() == [[*size], [*images.image_sizes[1]]]


def test_proposals_are_the_surest_anchors_of_each_frame_without_doubles(small):
    frames = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        maps = frame_outputs(small, frames)
        images, _ = small.transform(list(frames))
        expected, _ = small.rpn(images, {"0": maps["features"]})
    for ours, theirs in zip(small.propose(maps, at_most=300), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_maps_are_flattened_in_the_order_of_the_anchors(small):
    objectness, offsets = torch.zeros(1, 12, 4, 6), torch.zeros(1, 48, 4, 6)
    objectness[0, 7, 2, 5], offsets[0, 4 * 7 + 3, 2, 5] = 1.0, 2.0  # of anchor 7 at row 2, column 5
    logits, moves = flat_maps({"objectness": objectness, "offsets": offsets})
    place = (2 * 6 + 5) * 12 + 7
    assert (logits.shape, moves.shape) == ((1, 288), (1, 288, 4))
    assert (logits.argmax(), moves[0, place, 3], moves.sum()) == (place, 2.0, 2.0)
    box = small.anchor_boxes(torch.zeros(1, 8, 4, 6))[place]
    assert ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) == (5 * 16, 2 * 16)


def test_macs_of_a_frame_do_not_depend_on_what_it_shows(small):
    table = dd.count_macs(small, (3, 32, 48))  # resized to 64×96
    assert not table.on_values
    rows = {row.name: row.teacher_macs for row in table.rows}
    assert rows["backbone.body.conv1"] == 32 * 48 * 64 * 3 * 49
    assert rows["roi_heads.box_head.fc7"] == 300 * 16 * 16
    with torch.device("meta"):
        unweighted = models.build("faster_rcnn_r101", **SMALL)
    assert dd.count_macs(unweighted, (3, 32, 48)).key == table.key


def test_region_heads_are_reported_and_never_paired_in_time(small):
    network = dd.convert(small, dd.LinearStudent(gamma=4), dd.all_layers, example=torch.randn(2, 3, 64, 96))
    report = {row.name: row for row in dd.conversion_report(network)}
    for name in ("box_head.fc6", "box_head.fc7", "box_predictor.cls_score", "box_predictor.bbox_pred"):
        assert not report[f"roi_heads.{name}"].converted
        assert "chosen by content" in report[f"roi_heads.{name}"].reason
    assert report["rpn.head.conv.0.0"].converted
