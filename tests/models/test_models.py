"""The table of networks and the parts they are made of."""

import pytest
from torch import nn

from deltadistill import models
from deltadistill.models import building


def test_an_unknown_name_is_refused_and_the_known_ones_are_listed():
    with pytest.raises(
        ValueError,
        match="unknown model 'resnet'; known: clip_tower, ddpm, ddrnet23, ddrnet23_slim, ddrnet39, ",
    ):
        models.build("resnet", classes=3)


def test_a_registered_builder_is_found_by_name(monkeypatch):
    monkeypatch.setattr(building, "REGISTERED", {})
    models.register("tiny", lambda classes: nn.Conv2d(3, classes, 1))
    assert models.build("tiny", classes=4).out_channels == 4
    with pytest.raises(ValueError, match="registered already"):
        models.register("tiny", nn.Identity)


@pytest.mark.parametrize("name", ["ddrnet23_slim", "ddrnet39"])
def test_every_layer_of_a_ddrnet_has_one_of_six_parts(name):
    model = models.build(name, classes=3, width=4)
    layers = [n for n, module in model.named_modules() if isinstance(module, nn.Conv2d)]
    assert {models.part_of(model, layer) for layer in layers} == {
        "stem",
        "low-resolution branch",
        "high-resolution branch",
        "fusion",
        "pyramid pooling",
        "head",
    }


def test_a_part_prefix_ends_at_a_dot():
    model = models.build("ddrnet23_slim", classes=3, width=4)
    assert models.part_of(model, "layer3.0.conv1.teacher") == "low-resolution branch"
    assert models.part_of(model, "layer3_.0.conv1") == "high-resolution branch"


def test_a_network_without_parts_is_divided_by_its_first_level():
    assert models.part_of(nn.Sequential(nn.Conv2d(3, 3, 1)), "0") == "0"


def test_first_and_last_convolution_are_left_out_where_a_network_names_no_others():
    network = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(4)))
    assert models.published_convolutions(network) == ["1", "2"]
    network.excluded_layers = ("2",)
    assert models.published_convolutions(network) == ["0", "1", "3"]
    network.excluded_layers = ("head",)
    with pytest.raises(ValueError, match=r"no convolutions of the network: \['head'\]"):
        models.published_convolutions(network)
