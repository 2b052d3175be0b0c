"""FGFI: the loss against numbers worked by hand, the convolution that only the training knows."""

import pytest
import torch
from tasks.boxes_by_hand import Anchored, detection
from tasks.detectors import OPTIONS, build, clip
from torch import nn

from deltadistill import models
from deltadistill.objectives.near_objects import NearObjects, count, near_objects_loss
from deltadistill.objectives.setting import Setting
from deltadistill.tasks.segmentation import Segmentation


def test_the_loss_is_half_the_mean_squared_distance_at_the_places_that_count():
    own, taught = torch.zeros(1, 2, 1, 3), torch.tensor([[[[1.0, 2, 9]], [[3, 4, 9]]]])
    masks = [torch.tensor([[[True, True, False]]])]
    assert count(masks) == 2
    loss = near_objects_loss([own], [taught], masks, count(masks))
    assert loss.item() == (1 + 9 + 4 + 16) / (2 * 2)


def test_places_of_all_maps_are_counted_together_and_parts_add_up():
    own = [torch.zeros(2, 1, 1, 1), torch.zeros(2, 1, 1, 2)]
    taught = [torch.tensor([2.0, 4]).view(2, 1, 1, 1), torch.ones(2, 1, 1, 2)]
    masks = [torch.tensor([[[True]], [[False]]]), torch.tensor([[[True, False]], [[True, True]]])]
    of = count(masks)
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
    loss = near_objects_loss([own], [torch.zeros(1, 1, 2, 2)], masks, count(masks))
    loss.backward()
    assert loss == 0
    assert not own.grad.any()


def setting(network, frames, task=None):
    return Setting(network, frames, tuple(frames.shape[-2:]), task or detection())


@pytest.mark.parametrize("name", OPTIONS)
def test_the_convolution_starts_as_the_identity_and_is_none_of_the_networks(name):
    network, frames = build(name), clip(1)[0]
    before = list(network.state_dict())
    objective = NearObjects(setting(network, frames))
    maps = setting(network, frames).maps(network.head_features)
    assert [tuple(features.shape[2:]) for features in maps] == MAPS[name]
    torch.testing.assert_close(objective.adaptation(maps[0]), maps[0])
    assert list(network.state_dict()) == before
    assert sorted(objective.state_dict()) == ["adaptation.bias", "adaptation.weight"]


MAPS = {
    "efficientdet_d0": [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)],
    "faster_rcnn_r101": [(8, 8)],
}


def test_a_network_that_does_not_name_its_heads_maps_is_refused():
    network = models.build("ddrnet23_slim", classes=2, width=8)
    with pytest.raises(ValueError, match="does not name the module that makes them"):
        NearObjects(setting(network, torch.zeros(1, 3, 64, 64)))


def test_maps_of_different_widths_are_refused():
    network = _TwoWidths()
    with pytest.raises(ValueError, match=r"maps of equally many channels, got \[1, 3\]"):
        NearObjects(setting(network, torch.zeros(1, 3, 128, 128)))


def test_label_maps_tell_no_objects_apart():
    network = build("efficientdet_d0")
    with pytest.raises(ValueError, match="this data set has label maps and no boxes; take method feature"):
        NearObjects(setting(network, clip(1)[0], Segmentation(3)))


def test_without_labels_nothing_tells_objects():
    network = build("efficientdet_d0")
    with pytest.raises(ValueError, match="objective near_objects needs labels, and this training has clips"):
        NearObjects(Setting(network, clip(1)[0], (128, 128)))


class _TwoWidths(Anchored):
    head_features = "two"

    def __init__(self):
        super().__init__()
        self.two = _TwoMaps()

    def forward(self, x):
        return self.two(x)


class _TwoMaps(nn.Module):
    def forward(self, x):
        return x, x[:, :1]
