"""HRNet: keys and shapes of the public checkpoints, any frame size, gradients, options."""

import pytest
import torch
from models.key_lists import HRNET, read_shapes

from deltadistill import models

SMALL = {"classes": 5, "width": 4}


def test_keys_and_shapes_are_those_of_the_public_checkpoints():
    with torch.device("meta"):
        model = models.build("hrnet_w18_small", classes=19)
    built = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert built == read_shapes(HRNET)


@pytest.mark.parametrize("size", [(96, 192), (75, 101), (17, 33)])
def test_logits_have_the_size_of_the_frame_whatever_that_is(size):
    model = models.build("hrnet_w18_small", **SMALL).eval()
    with torch.no_grad():
        logits = model(torch.randn(2, 3, *size))
    assert logits.shape == (2, 5, *size)
    assert logits.isfinite().all()


def test_branches_have_a_quarter_of_the_size_and_less():
    model = models.build("hrnet_w18_small", **SMALL).eval()
    shapes = []
    model.stage4.register_forward_hook(lambda _, __, outputs: shapes.extend(y.shape[1:] for y in outputs))
    with torch.no_grad():
        model(torch.zeros(1, 3, 64, 96))
    assert shapes == [(4, 16, 24), (8, 8, 12), (16, 4, 6), (32, 2, 3)]


def test_every_branch_hears_every_other():
    torch.manual_seed(0)
    module = models.build("hrnet_w18_small", **SMALL).stage4[0].eval()
    features = [torch.randn(1, 4 * 2**b, 16 // 2**b, 16 // 2**b, requires_grad=True) for b in range(4)]
    for output in module(features):
        gradients = torch.autograd.grad(output.sum(), features, retain_graph=True)
        assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_every_parameter_receives_a_gradient():
    model = models.build("hrnet_w18_small", **SMALL).train()
    model(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_every_layer_has_a_part():
    model = models.build("hrnet_w18_small", **SMALL)
    layers = [n for n, module in model.named_modules() if isinstance(module, torch.nn.Conv2d)]
    branches = {f"branch at 1/{size}" for size in (4, 8, 16, 32)}
    assert {models.part_of(model, layer) for layer in layers} == {"stem", "fusion", "head", *branches}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width must be"),
        ({"stem_planes": 0}, "stem_planes must be"),
        ({"depth": 3}, "no option"),
    ],
)
def test_impossible_options_are_refused_by_name(options, words):
    with pytest.raises(ValueError, match=words):
        models.build("hrnet_w18_small", **{"classes": 5, **options})
