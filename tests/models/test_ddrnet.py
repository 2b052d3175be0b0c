"""DDRNet: keys and shapes of the public checkpoints, any frame size, options."""

import pytest
import torch
from models.key_lists import DDRNETS, read_shapes

from deltadistill import models

SMALL = {"classes": 5, "width": 4}


@pytest.mark.parametrize("name", DDRNETS)
def test_keys_and_shapes_are_those_of_the_public_checkpoints(name):
    with torch.device("meta"):
        model = models.build(name, classes=19)
    built = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert built == read_shapes(DDRNETS[name])


@pytest.mark.parametrize("name", DDRNETS)
@pytest.mark.parametrize("size", [(96, 192), (75, 101), (17, 33)])
def test_logits_have_the_size_of_the_frame_whatever_that_is(name, size):
    model = models.build(name, **SMALL).eval()
    with torch.no_grad():
        logits = model(torch.randn(2, 3, *size))
    assert logits.shape == (2, 5, *size)
    assert logits.isfinite().all()


def test_stem_strides_of_two_and_one_double_the_resolution_of_the_branches():
    sizes = []
    for strides in ((2, 2), (2, 1)):
        model = models.build("ddrnet23_slim", stem_strides=strides, **SMALL).eval()
        model.layer4_.register_forward_hook(lambda _, __, output: sizes.append(tuple(output.shape[-2:])))
        model(torch.zeros(1, 3, 96, 192))
    assert sizes == [(12, 24), (24, 48)]


def test_width_scales_the_pyramid_and_the_head_unless_they_are_given():
    model = models.build("ddrnet23_slim", classes=8, width=16)
    assert (model.spp.scale0[2].out_channels, model.final_layer.conv1.out_channels) == (64, 32)
    model = models.build("ddrnet23_slim", classes=8, width=16, spp_planes=24, head_planes=40)
    assert (model.spp.scale0[2].out_channels, model.final_layer.conv1.out_channels) == (24, 40)


def test_the_auxiliary_head_speaks_in_training_only():
    model = models.build("ddrnet39", auxiliary_head=True, **SMALL)
    frame = torch.randn(2, 3, 64, 64)
    logits, auxiliary = model.train()(frame)
    assert logits.shape == auxiliary.shape == (2, 5, 64, 64)
    assert model.eval()(frame).shape == (2, 5, 64, 64)
    assert any(key.startswith("seghead_extra.") for key in model.state_dict())


def test_every_parameter_receives_a_gradient():
    model = models.build("ddrnet39", **SMALL).train()
    model(torch.randn(2, 3, 64, 128)).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width must be"),
        ({"stem_strides": (2, 3)}, "stem_strides"),
        ({"depth": 3}, "no option depth"),
    ],
)
def test_impossible_options_are_refused_by_name(options, words):
    with pytest.raises(ValueError, match=words):
        models.build("ddrnet23_slim", **{"classes": 5, **options})
