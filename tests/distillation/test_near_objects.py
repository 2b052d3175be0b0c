"""FGFI: the loss against numbers worked by hand, the convolution that only the training knows."""

import pytest
import torch
from tasks.detectors import OPTIONS, build, clip
from torch import nn

from deltadistill import models
from deltadistill.distillation.near_objects import (
    ADAPTATION,
    add_adaptation,
    drop_adaptation,
    head_features,
    near_objects_loss,
    places,
)
from deltadistill.forward.outputs import frame_outputs


def test_the_loss_is_half_the_mean_squared_distance_at_the_places_that_count():
    own, taught = torch.zeros(1, 2, 1, 3), torch.tensor([[[[1.0, 2, 9]], [[3, 4, 9]]]])
    masks = [torch.tensor([[[True, True, False]]])]
    assert places(masks) == 2
    loss = near_objects_loss([own], [taught], masks, places(masks))
    assert loss.item() == (1 + 9 + 4 + 16) / (2 * 2)


def test_places_of_all_maps_are_counted_together_and_parts_add_up():
    own = [torch.zeros(2, 1, 1, 1), torch.zeros(2, 1, 1, 2)]
    taught = [torch.tensor([2.0, 4]).view(2, 1, 1, 1), torch.ones(2, 1, 1, 2)]
    masks = [torch.tensor([[[True]], [[False]]]), torch.tensor([[[True, False]], [[True, True]]])]
    of = places(masks)
    whole = near_objects_loss(own, taught, masks, of)
    assert whole.item() == pytest.approx((4 + 3) / (2 * 4))
    parts = [
        near_objects_loss(*([m[n : n + 1] for m in each] for each in (own, taught, masks)), of)
        for n in range(2)
    ]
    assert sum(parts).item() == pytest.approx(whole.item())


def test_without_any_place_there_is_no_loss_and_no_gradient():
    own = torch.ones(1, 1, 2, 2, requires_grad=True)
    masks = [torch.zeros(1, 2, 2, dtype=torch.bool)]
    loss = near_objects_loss([own], [torch.zeros(1, 1, 2, 2)], masks, places(masks))
    loss.backward()
    assert loss == 0
    assert not own.grad.any()


@pytest.mark.parametrize("name", OPTIONS)
def test_the_convolution_starts_as_the_identity_and_goes_without_a_trace(name):
    network = build(name)
    before = list(network.state_dict())
    adaptation = add_adaptation(network, clip(1)[0])
    with head_features(network) as maps:
        frame_outputs(network, clip(1)[0])
    assert [tuple(features.shape[2:]) for features in maps] == MAPS[name]
    torch.testing.assert_close(adaptation(maps[0]), maps[0])
    assert network.get_submodule(ADAPTATION) is adaptation
    drop_adaptation(network)
    assert list(network.state_dict()) == before


MAPS = {
    "efficientdet_d0": [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)],
    "faster_rcnn_r101": [(8, 8)],
}


def test_a_network_that_does_not_name_its_heads_maps_is_refused():
    network = models.build("ddrnet23_slim", classes=2, width=8)
    with pytest.raises(ValueError, match="does not name the module that makes them"):
        add_adaptation(network, torch.zeros(1, 3, 64, 64))


def test_maps_of_different_widths_are_refused():
    network = nn.Sequential(nn.Identity())
    network.add_module("two", _TwoMaps())
    network.head_features = "two"
    with pytest.raises(ValueError, match=r"maps of equally many channels, got \[1, 3\]"):
        add_adaptation(network, torch.zeros(1, 3, 4, 4))


class _TwoMaps(nn.Module):
    def forward(self, x):
        return x, x[:, :1]
