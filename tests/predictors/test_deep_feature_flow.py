"""Deep Feature Flow: which part runs on later frames, on which maps, and at what cost."""

import pytest
import torch
from preparation.small_videos import drifting
from torch import nn

from deltadistill import models
from deltadistill.account.macs import count_macs
from deltadistill.data.frames import normalise
from deltadistill.evaluation.costs_by_length import costs_by_length
from deltadistill.motion.flow_macs import BILINEAR
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.network_split import NetworkSplit
from deltadistill.predictors.predictor import build
from deltadistill.tasks.segmentation import Segmentation

SIZE = (64, 96)
DDRNET = {"name": "ddrnet23_slim", "classes": 3, "width": 4, "stem_strides": [2, 1]}


class Net(nn.Module):
    """Maps of half the size, a head, and its logits resized: 8·27 and 24 MACs a place."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 3, 1)

    def forward(self, frame):
        logits = self.head(self.body(frame).relu_())
        return nn.functional.interpolate(logits, frame.shape[-2:], mode="bilinear", align_corners=False)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Net().eval()


def batches(count, still=False):
    frames = drifting(2 * count, SIZE)[::2]
    return [
        FrameBatch(torch.from_numpy(frames[0 if still else n].copy()).permute(2, 0, 1)[None])
        for n in range(count)
    ]


def answers(predictor, frames):
    predictor.begin(StreamInfo(1, SIZE))
    return [predictor.answer(frame) for frame in frames]


def test_in_a_still_picture_every_frame_is_answered_as_the_key_frame(network):
    predictor = build("deep_feature_flow", network, Segmentation(3), options={"split": "head"})
    first, second = answers(predictor, batches(2, still=True))
    assert torch.equal(first, second)
    assert not predictor.is_key_frame


def test_maps_move_with_the_picture(network):
    class AsItIs:
        def predict(self, output, *, network):
            return output

    options = {"split": "head", "preset": "medium"}
    first, _, third = answers(build("deep_feature_flow", network, AsItIs(), options=options), batches(3))
    with torch.no_grad():
        wanted = network(batches(3)[2].normalised)
    inside = (..., slice(16, 48), slice(24, 72))
    copied, moved = ((each - wanted)[inside].abs().mean() for each in (first, third))
    assert moved < copied / 5


def test_a_later_frame_costs_the_flow_the_warping_and_the_head(network):
    predictor = build("deep_feature_flow", network, Segmentation(3), options={"split": "head"})
    places = 32 * 48
    flow = Motions("flow", preset="fast", longest=320).macs(SIZE)
    later, full = flow + places * (8 * BILINEAR + 8 * 3), places * (8 * 27 + 8 * 3)
    costs = costs_by_length(predictor, network, network, [1, 3], size=(3, *SIZE))
    assert costs[1]["gmacs"] == pytest.approx(full / 1e9)
    assert costs[3]["gmacs"] == pytest.approx((full + 2 * later) / 3e9)


def test_the_librarys_networks_are_split_before_their_heads():
    torch.manual_seed(0)
    network = models.build(**DDRNET).eval()
    split = NetworkSplit(network, "final_layer")
    frame = normalise(batches(1)[0].pictures)
    with torch.no_grad():
        output, maps = split.full(frame)
        assert maps.shape == (1, 16, 16, 24)  # 4 · width channels at a quarter of the size
        torch.testing.assert_close(split.rest(maps), network(frame))
        torch.testing.assert_close(output, network(frame))
    head = [row for row in count_macs(network, (3, *SIZE)).rows if row.name.startswith("final_layer.")]
    assert split.rest_macs(SIZE) == sum(row.teacher_macs for row in head) > 0


def test_a_head_of_two_modules_gives_two_outputs():
    class Two(Net):
        def forward(self, frame):
            maps = self.body(frame)
            return self.head(maps), self.boxes(maps)

    network = Two()
    network.boxes = nn.Conv2d(8, 4, 1)
    split = NetworkSplit(network, ["head", "boxes"])
    with torch.no_grad():
        output, maps = split.full(torch.rand(1, 3, *SIZE))
        assert all(torch.equal(one, other) for one, other in zip(split.rest(maps), output, strict=True))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("tail", "split 'tail': the network has no such module; it has body, head"),
        ("body", "output is not what these modules make of their input alone"),
        (["head", "head.0"], "no such module"),
    ],
)
def test_a_split_that_does_not_end_the_network_is_refused(split, message, network):
    with pytest.raises(ValueError, match=message):
        answers(build("deep_feature_flow", network, Segmentation(3), options={"split": split}), batches(1))
