"""A delta network whose maps move with the picture, on a network that was trained as any other."""

import pytest
import torch
from preparation.small_videos import drifting
from torch import nn

import deltadistill as dd
from deltadistill.evaluation.costs_by_length import costs_by_length
from deltadistill.motion.flow_macs import BILINEAR
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.predictor import build

SIZE = (64, 96)


class AsItIs:
    def predict(self, output, *, network):
        return output


@pytest.fixture
def teacher():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    return nn.Sequential(*layers, nn.Conv2d(8, 2, 1)).eval()


@pytest.fixture
def network(teacher):
    converted = dd.convert(teacher, dd.LinearStudent(gamma=8))
    converted[2].decide("compressed")
    return dd.deploy(converted)


def answers(network, frames, **options):
    predictor = build("moved_stream", network, AsItIs(), options=options)
    predictor.begin(StreamInfo(1, SIZE))
    return [predictor.answer(FrameBatch(frame)) for frame in frames], predictor


def pictures(count):
    return [torch.from_numpy(frame.copy()).permute(2, 0, 1)[None] for frame in drifting(2 * count, SIZE)[::2]]


def test_maps_that_move_are_nearer_to_every_frame_in_full(teacher, network):
    frames = pictures(3)
    with torch.no_grad():
        wanted = teacher(FrameBatch(frames[2]).normalised)
    stream = dd.Stream(network, period=9)
    unmoved = [stream(FrameBatch(frame).normalised) for frame in frames][2]
    found, predictor = answers(network, frames, preset="medium")
    inside = (..., slice(16, 48), slice(24, 72))
    moved_error, error = ((each - wanted)[inside].abs().mean() for each in (found[2], unmoved))
    assert moved_error < error / 3
    assert not predictor.is_key_frame
    torch.testing.assert_close(found[0], teacher(FrameBatch(frames[0]).normalised))
    assert type(network[2].rule).__name__ == "DeltaRule"  # others go on with the network as it is


def test_a_still_picture_has_the_key_frames_output(network):
    frames = pictures(1) * 2
    (first, second), _ = answers(network, frames)
    torch.testing.assert_close(first, second)


def test_costs_add_what_the_key_frame_prepares_the_motion_and_the_moving(teacher, network):
    places, predictor = SIZE[0] * SIZE[1], answers(network, pictures(1))[1]
    full, student = places * (27 * 8 + 72 * 8 + 8 * 2), places * (8 * 3 + 3 * 8)  # rank 1 of 8
    later = places * (27 * 8 + 8 * 2) + student
    motion = Motions("flow", preset="fast", longest=320).macs(SIZE) + BILINEAR * places * 8
    costs = costs_by_length(predictor, network, teacher, [1, 3], size=(3, *SIZE))
    assert costs[1]["gmacs"] == pytest.approx((full + student) / 1e9)
    assert costs[3]["gmacs"] == pytest.approx((full + student + 2 * (later + motion)) / 3e9)
    assert predictor.costs({}) is predictor.costs({})  # frame after frame it is asked again


def test_a_network_without_students_is_refused(teacher):
    converted = dd.convert(teacher, dd.LinearStudent(gamma=4), predicts="feature")
    with pytest.raises(ValueError, match="moved_stream moves what linear students keep"):
        build("moved_stream", converted, AsItIs())
