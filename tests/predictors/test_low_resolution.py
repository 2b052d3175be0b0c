"""Outputs of reduced frames, corrected by the key frame, by numbers worked by hand."""

import pytest
import torch
from torch import nn

from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.evaluation.costs_by_length import costs_by_length
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import build

SIZE = (8, 12)


class AsItIs:
    def predict(self, output, *, network):
        return output


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()


def frames(count):
    draws = torch.Generator().manual_seed(0)
    return [
        FrameBatch(torch.randint(256, (2, 3, *SIZE), dtype=torch.uint8, generator=draws))
        for _ in range(count)
    ]


def answers(network, seen, period=9, **given):
    low = {"low": given.pop("low")} if "low" in given else {}
    predictor = build("low_resolution", network, AsItIs(), networks=low, options=given)
    predictor.begin(StreamInfo(2, SIZE, schedule=FixedPeriod(period)))
    with torch.no_grad():
        return [predictor.answer(frame) for frame in seen], predictor


@torch.no_grad()
def test_a_later_frame_is_the_key_frame_and_what_changed_at_low_resolution(network):
    first, second, third, fourth = seen = frames(4)
    found, _ = answers(network, seen, period=3)

    def up(frame):
        reduced = nn.functional.avg_pool2d(frame.normalised, 2)
        return nn.functional.interpolate(network(reduced), SIZE, mode="bilinear", align_corners=False)

    full = network(first.normalised)
    torch.testing.assert_close(found[0], full)
    torch.testing.assert_close(found[1], up(second) + full - up(first))
    torch.testing.assert_close(found[2], up(third) + full - up(first))
    torch.testing.assert_close(found[3], network(fourth.normalised))  # the next key frame


def test_in_a_still_clip_every_frame_has_the_key_frames_output_whatever_the_other_network_says(network):
    torch.manual_seed(1)
    other, (frame,) = nn.Conv2d(3, 2, 3, padding=1).eval(), frames(1)
    (first, second), _ = answers(network, [frame, frame], low=other, factor=3)
    torch.testing.assert_close(first, second)
    assert torch.equal(first, network(frame.normalised))


def test_costs_are_those_of_both_networks_at_their_resolutions(network):
    low = nn.Conv2d(3, 2, 3, padding=1)
    predictor = answers(network, frames(1), low=low)[1]
    full, reduced = 96 * (27 * 4 + 4 * 2), 24 * 27 * 2
    costs = costs_by_length(predictor, network, network, [1, 4], size=(3, *SIZE), networks={"low": low})
    assert costs[1]["gmacs"] == pytest.approx((full + reduced) / 1e9)
    assert costs[4]["gmacs"] == pytest.approx((full + 4 * reduced) / 4e9)


def test_networks_that_say_different_things_are_refused(network):
    with pytest.raises(ValueError, match=r"gives \(2, 5, 4, 6\), in full \(2, 2, 8, 12\); expected maps"):
        answers(network, frames(1), low=nn.Conv2d(3, 5, 1))
    with pytest.raises(ValueError, match="factor 1 does not reduce frames"):
        build("low_resolution", network, AsItIs(), options={"factor": 1})
