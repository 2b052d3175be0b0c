"""JITNet and the MobileNetV2 of the supplement's Table 1: its FLOPs, any frame size, options."""

import pytest
import torch

from deltadistill import models
from deltadistill.account.macs import count_macs
from deltadistill.account.training_macs import TrainingMacs

SIZE = (3, 720, 1280)
# Table 1, GFLOPs of inference and of training, 2 to a MAC.
PUBLISHED = {
    "baseline": ({}, 15.2, 42.0),
    "width 0.5": ({"width": 0.5}, 11.8, 31.8),
    "width 2": ({"width": 2.0}, 47.9, 140.4),
    "no skip": ({"skip": False}, 14.3, 39.4),
}
MOBILENET = {8: (60.3, 176.1), 16: (18.3, 53.0)}


def gflops(name, **options):
    with torch.device("meta"):
        return 2 * count_macs(models.build(name, **{"classes": 24} | options), SIZE).teacher / 1e9


def training_gflops(name, **options):
    with torch.device("meta"):
        network, frame = models.build(name, classes=24, **options).train(), torch.zeros(1, *SIZE)
    with TrainingMacs() as counted:
        network(frame).sum().backward()
    return 2 * counted.macs / 1e9


@pytest.mark.parametrize("column", PUBLISHED)
def test_inference_costs_what_the_supplement_says(column):
    options, expected, _ = PUBLISHED[column]
    assert gflops("jitnet", resized="features", **options) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("column", PUBLISHED)
def test_training_costs_what_the_supplement_says_where_logits_are_resized(column):
    options, _, expected = PUBLISHED[column]
    assert training_gflops("jitnet", resized="logits", **options) == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize(("scale", "expected"), [(0.5, 4.6), (0.75, 10.3)])
def test_scaled_frames_cost_what_the_supplement_says_with_the_80_classes_of_coco(scale, expected):
    found = gflops("jitnet", resized="features", scale=scale, classes=80)
    assert found == pytest.approx(expected, rel=0.015)


@pytest.mark.parametrize("stride", MOBILENET)
def test_a_mobilenet_costs_what_the_supplement_says(stride):
    inference, training = MOBILENET[stride]
    assert gflops("mobilenetv2_deeplab", output_stride=stride) == pytest.approx(inference, rel=0.005)
    assert training_gflops("mobilenetv2_deeplab", output_stride=stride) == pytest.approx(training, rel=0.03)


@pytest.mark.parametrize("name", ["jitnet", "mobilenetv2_deeplab"])
@pytest.mark.parametrize("size", [(96, 192), (75, 101), (17, 33)])
def test_logits_have_the_size_of_the_frame_whatever_that_is(name, size):
    network = models.build(name, classes=5).eval()
    with torch.no_grad():
        logits = network(torch.randn(2, 3, *size))
    assert logits.shape == (2, 5, *size)
    assert logits.isfinite().all()


@pytest.mark.parametrize("options", [{"scale": 0.5}, {"scale": 0.75}, {"skip": False}, {"width": 0.5}])
def test_every_option_answers_frames_of_any_size(options):
    network = models.build("jitnet", classes=3, **options).eval()
    assert network(torch.randn(1, 3, 50, 70)).shape == (1, 3, 50, 70)


def test_logits_or_features_resized_are_the_same_function():
    torch.manual_seed(0)
    one, other = (models.build("jitnet", classes=4, resized=what).eval() for what in ("logits", "features"))
    other.load_state_dict(one.state_dict())
    frame = torch.randn(1, 3, 48, 64)
    assert torch.allclose(one(frame), other(frame), atol=1e-5)


@pytest.mark.parametrize("name", ["jitnet", "mobilenetv2_deeplab"])
def test_one_frame_gives_every_parameter_a_gradient(name):
    network = models.build(name, classes=5).train()
    network(torch.randn(1, 3, 64, 128)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("jitnet", {"width": 0}, "width must be above 0"),
        ("jitnet", {"scale": -1}, "scale must be above 0"),
        ("jitnet", {"resized": "labels"}, "resized 'labels' is unknown; allowed: logits, features"),
        ("mobilenetv2_deeplab", {"output_stride": 4}, "output_stride 4 is not one of 8, 16, 32"),
    ],
)
def test_impossible_options_are_refused_by_name(name, options, words):
    with pytest.raises(ValueError, match=words):
        models.build(name, **{"classes": 5} | options)


def test_every_layer_belongs_to_a_named_part():
    network = models.build("jitnet", classes=3)
    layers = [name for name, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)]
    assert {models.part_of(network, layer) for layer in layers} == {"stem", "encoder", "decoder", "head"}
