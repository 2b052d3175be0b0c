"""EfficientDet-D0: keys of the public checkpoints, outputs, unconverted layers, the optional package."""

import sys

import pytest
import torch
from models.key_lists import EFFICIENTDET, read_shapes
from torch import nn

import deltadistill as dd
from deltadistill import models
from deltadistill.tasks.anchors import _anchor_boxes


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return models.build("efficientdet_d0", classes=3, image_size=128).eval()


def test_keys_and_shapes_are_those_of_the_public_checkpoints():
    with torch.device("meta"):
        model = models.build("efficientdet_d0", classes=30)
    built = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert built == read_shapes(EFFICIENTDET)


def test_five_levels_of_class_logits_and_box_offsets(small):
    with torch.no_grad():
        logits, offsets = small(torch.randn(2, 3, 128, 128))
    sizes = [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]
    assert [tuple(level.shape) for level in logits] == [(2, 9 * 3, *size) for size in sizes]
    assert [tuple(level.shape) for level in offsets] == [(2, 9 * 4, *size) for size in sizes]
    assert all(level.isfinite().all() for level in (*logits, *offsets))


def test_first_box_prediction_excitation_and_depthwise_convolutions_are_excluded(small):
    convolutions = {n: m for n, m in small.named_modules() if isinstance(m, nn.Conv2d)}
    excluded = set(small.excluded_layers)
    assert {"backbone.conv_stem", "box_net.predict.conv_dw", "box_net.predict.conv_pw"} <= excluded
    assert "class_net.predict.conv_pw" not in excluded
    assert len(convolutions) == 150
    assert len(models.published_convolutions(small)) == 68
    assert all(convolutions[n].groups == 1 and ".se." not in n for n in models.published_convolutions(small))


def test_a_stream_of_a_converted_detector_repeats_itself_on_a_still_scene(small):
    network = dd.convert(small, dd.LinearStudent(gamma=16, rank="min"), models.published_convolutions)
    stream = dd.Stream(network, period=2)
    frame = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        expected = small(frame)
        for _ in range(2):
            torch.testing.assert_close(stream(frame), expected, rtol=1e-4, atol=1e-4)


def test_no_block_is_dropped_at_random(small):
    drops = [m for m in small.modules() if type(m).__name__ == "DropPath" and m.drop_prob]
    assert drops == []


def test_an_image_size_that_the_pyramid_cannot_halve_is_refused():
    with pytest.raises(ValueError, match="image_size must be a multiple of 128, got 500"):
        models.build("efficientdet_d0", classes=3, image_size=500)


def test_anchors_of_other_shapes_decide_what_is_said_per_position():
    options = {"image_size": 128, "pyramid_channels": 8, "pyramid_repeats": 1, "head_repeats": 1}
    thin = models.build("efficientdet_d0", classes=3, anchor_scale=2.0, anchor_shapes=[[0.5, 2.0]], **options)
    with torch.no_grad():
        logits, offsets = thin.eval()(torch.randn(1, 3, 128, 128))
    assert (logits[0].shape[1], offsets[0].shape[1]) == (3 * 3, 3 * 4)
    y0, x0, y1, x1 = _anchor_boxes(thin.anchors, torch.device("cpu"))[0].tolist()
    assert (x1 - x0, y1 - y0) == pytest.approx((8, 32))  # 2 strides of 8 pixels, times the shape


def test_a_shape_without_an_extent_is_refused():
    for shapes in ([[1.0, 0.0]], [[1.0]], []):
        with pytest.raises(ValueError, match="expected pairs"):
            models.build("efficientdet_d0", classes=3, image_size=128, anchor_shapes=shapes)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "effdet", None)
    with pytest.raises(ImportError, match=r"effdet.*pip install 'deltadistill\[detection\]'"):
        models.build("efficientdet_d0", classes=3)
