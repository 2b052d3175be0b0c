"""Networks with adapters of their own: how pictures go in, and boxes that they read themselves."""

import numpy as np
import pytest
import torch
from torch import nn

from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.frames import normalise
from deltadistill.data.label_table import ClassEntry
from deltadistill.tasks.adapted import Adapted
from deltadistill.tasks.detection import Detection, detector_of
from deltadistill.tasks.own_boxes import relative_error

PICTURES = {
    "size": (4, 6),
    "order": "bgr",
    "scale": 1.0,
    "mean": (100.0, 110.0, 120.0),
    "deviation": (50.0, 55.0, 60.0),
}
BOXES = {
    "min_score": 0.1, "max_iou": 0.5, "candidates": 10, "max_detections": 2, "shown_score": 0.4
}  # fmt: skip


def read(outputs):
    """Outputs (1, 3, 5): boxes with scores."""
    rows = outputs[0][0]
    return {"boxes": rows[:, :4], "scores": rows[:, 4], "labels": np.zeros(len(rows), np.int64)}


class Rows(nn.Module):
    """The same boxes in every frame, the second brighter frame's surer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, frames):
        rows = torch.tensor([[0, 0, 2, 2, 0.5], [0, 0, 2, 2.1, 0.4], [1, 1, 99, 3, 0.3]])
        return (rows.expand(len(frames), 3, 5) * self.weight,)


def detection():
    info = DatasetInfo("video", (4, 6), (ClassEntry("person", (0, 0, 0), ()),), named_task="detection")
    return Detection.of_dataset(info, boxes=BOXES, loss=None)


def detector(**options):
    return Adapted(Rows(), PICTURES, fixed=True, decode=read, **options)


def test_a_network_sees_pictures_as_its_adapter_says():
    picture = torch.tensor([10, 165, 220], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 4, 6)
    seen = Adapted(nn.Identity(), PICTURES)(normalise(picture))
    # blue (220 − 100)/50, green (165 − 110)/55, red (10 − 120)/60
    assert torch.allclose(seen[0, :, 0, 0], torch.tensor([2.4, 1.0, -11 / 6]), atol=1e-4)


def test_without_a_word_of_the_adapter_pictures_are_from_0_to_1():
    picture = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    seen = Adapted(nn.Identity(), {"size": (1, 1)})(normalise(picture))
    assert torch.allclose(seen.flatten(), torch.tensor([0.0, 0.2, 1.0]), atol=1e-6)


def test_boxes_are_those_of_the_networks_own_decoder():
    network, task = detector(), detection()
    first, second = task.predict(network(torch.zeros(2, 3, 4, 6)), network=network)
    assert np.allclose(first.boxes, [[0, 0, 2, 2], [1, 1, 6, 3]])  # without the double, within the frame
    assert np.allclose(first.scores, [0.5, 0.3])
    assert np.allclose(second.boxes, first.boxes)
    assert detector_of(network).image_size(network) == (4, 6)


def test_imitation_is_the_relative_squared_error_of_each_output():
    ours = (torch.tensor([[1.0, 1.0], [3.0, 4.0]]), torch.tensor([[2.0], [0.5]]))
    theirs = (torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0], [1.0]]))
    # (1/5 + 0)/2 = 0.1 and (1 + 0.25)/2 = 0.625
    assert float(relative_error(ours, theirs)) == pytest.approx((0.1 + 0.625) / 2)


def test_a_network_may_say_itself_how_far_outputs_are_apart():
    task, output = detection(), (torch.ones(1, 3, 5),)
    own = detector(imitation=lambda ours, theirs: (ours[0] - theirs[0]).abs().max())
    assert float(task.imitation_loss(output, (3 * output[0],), network=own)) == 2
    assert float(task.imitation_loss(output, (3 * output[0],), network=detector())) == pytest.approx(4 / 9)


def test_learning_from_labels_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match=r"Rows reads boxes in its own way.*distill without labels"):
        detection().targets(torch.zeros(1, 0, 5), network=detector())
    with pytest.raises(ValueError, match="take method feature"):
        detection().anchor_grids((4, 6), torch.device("cpu"), network=detector())


def test_boxes_without_a_frame_that_they_lie_in_are_refused():
    network = Adapted(Rows(), PICTURES, decode=read)
    with pytest.raises(ValueError, match="does not say which frames its boxes are in"):
        detection().predict(network(torch.zeros(1, 3, 4, 6)), network=network)


def test_an_adapted_network_without_boxes_is_no_detector():
    with pytest.raises(ValueError, match=r"nor brings `decode` of its own"):
        detector_of(Adapted(Rows(), PICTURES))
