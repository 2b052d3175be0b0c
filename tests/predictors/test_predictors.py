"""Predictors: what they answer, what a frame costs them, and how they are made."""

import pytest
import torch
from extension.test_moving_maps import Follow, pointwise
from torch import nn

import deltadistill as dd
from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import Adaptive, FixedPeriod, Gaps
from deltadistill.data.frames import normalise
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor, build
from deltadistill.tasks.segmentation import Segmentation

TASK = Segmentation(3)
SIZE = (6, 8)


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 3, 1)
    converted = dd.convert(nn.Sequential(*layers).eval(), dd.LinearStudent(gamma=4))
    converted[1].decide("compressed")
    return converted


@pytest.fixture
def video():
    draws = torch.Generator().manual_seed(0)
    return [
        torch.randint(256, (2, 3, *SIZE), dtype=torch.uint8, generator=draws) for _ in range(7)
    ]  # two streams


def answers(predictor, video, schedule):
    predictor.begin(StreamInfo(2, SIZE, schedule=schedule))
    found = []
    for pictures in video:
        found.append((predictor.answer(FrameBatch(pictures)), predictor.is_key_frame))
    return [labels for labels, _ in found], [is_key for _, is_key in found]


def test_the_input_of_networks_is_that_of_other_evaluations_bit_for_bit(video):
    assert torch.equal(FrameBatch(video[0]).normalised, normalise(video[0]))


def test_a_stream_answers_as_the_delta_network_with_the_same_key_frames(network, video):
    labels, keys = answers(build("stream", network, TASK), video, Gaps([2, 3]))
    stream = dd.Stream(network, schedule=Gaps([2, 3]))
    expected = [stream(normalise(pictures)).argmax(1) for pictures in video]
    assert keys == [True, False, True, False, False, True, False]
    assert all(torch.equal(one, other) for one, other in zip(labels, expected, strict=True))


def test_a_copy_repeats_what_was_said_of_the_key_frame(network, video):
    labels, keys = answers(build("copy", network, TASK), video, FixedPeriod(3))
    full, _ = answers(build("per_frame", network, TASK), video, FixedPeriod(3))
    assert keys == [True, False, False, True, False, False, True]
    assert all(torch.equal(labels[n], full[n - n % 3]) for n in range(7))
    assert not torch.equal(full[0], full[1])


@pytest.mark.parametrize("predict", ["copy", "stream"])
def test_what_begins_anew_has_forgotten_the_video_before(predict, network, video):
    predictor = build(predict, network, TASK)
    first, _ = answers(predictor, video, FixedPeriod(4))
    answers(predictor, video[::-1][:2], FixedPeriod(4))
    again, _ = answers(predictor, video, FixedPeriod(4))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


@pytest.mark.parametrize("predict", ["copy", "stream"])
def test_an_adaptive_schedule_sees_pictures_not_what_networks_get(predict, network):
    video = [torch.full((2, 3, *SIZE), level, dtype=torch.uint8) for level in (0, 30, 60, 90)]
    _, keys = answers(build(predict, network, TASK), video, Adaptive(60))
    assert keys == [True, False, True, False]


@pytest.mark.parametrize(
    ("predict", "macs"), [("per_frame", [9, 9, 9]), ("copy", [9, 0, 0]), ("stream", [9, 2, 2])]
)
def test_the_last_answer_has_the_cost_of_its_kind(predict, macs, network, video):
    predictor, costs = build(predict, network, TASK), {MAIN: FrameCosts(Cost(macs=9), Cost(macs=2))}
    predictor.begin(StreamInfo(2, SIZE))
    found = []
    for pictures in video[:3]:
        predictor.answer(FrameBatch(pictures))
        found.append(predictor.last_cost(costs).macs)
    assert found == macs


class Two(Predictor):
    """Runs two networks, and learns; `learnt` tells what."""

    learns = True

    def __init__(self, network, task, *, scout, threshold, longest=4):
        self.networks = network, scout
        self.threshold, self.longest = threshold, longest

    def begin(self, stream): ...

    def answer(self, frame):
        output = self.networks[0](frame.normalised)
        output.sum().backward()
        with torch.no_grad():
            self.networks[0][0].weight -= self.networks[0][0].weight.grad

    def costs(self, networks):
        return FrameCosts(key=networks[MAIN].key, delta=networks["scout"].key)


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "two_networks", type("Module", (), {"Two": Two}))
    return "two_networks:Two"


def test_a_predictor_gets_networks_and_options_by_name(two, network):
    scout = nn.Conv2d(3, 3, 1)
    made = build(two, network, TASK, networks={"scout": scout}, options={"threshold": 2})
    assert (made.threshold, made.longest) == (2, 4)
    assert not made.networks[1].training
    costs = made.costs({MAIN: FrameCosts(Cost(9), Cost(2)), "scout": FrameCosts(Cost(1), Cost(1))})
    assert costs.amortised(3) == Cost(macs=11 / 3)


def test_one_that_learns_leaves_the_networks_of_others_alone(two, network, video):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    made = build(two, network, TASK, networks={"scout": nn.Conv2d(3, 3, 1)}, options={"threshold": 2})
    made.answer(FrameBatch(video[0]))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not torch.equal(made.networks[0][0].weight, network[0].weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"missing a required argument: 'threshold'.*it takes scout, threshold, longest=4"),
        ({"threshold": 1, "treshold": 1}, "unexpected keyword argument 'treshold'"),
        ({"threshold": 1, "scout": 1}, "scout is given as an option and as a network"),
    ],
)
def test_options_that_a_predictor_does_not_take_are_refused(options, message, two, network):
    with pytest.raises(ValueError, match=message):
        build(two, network, TASK, networks={"scout": nn.Conv2d(3, 3, 1)}, options=options)


def test_the_librarys_predictors_take_no_options(network):
    with pytest.raises(ValueError, match=r"predictor 'copy'.*'period'.*it takes none"):
        build("copy", network, TASK, options={"period": 3})


def test_the_motion_of_a_frame_reaches_the_rules_of_a_stream():
    network = dd.deploy(dd.convert(pointwise(3).eval(), Follow(), dd.all_convolutions))
    predictor, first = build("stream", network, TASK), torch.randint(256, (1, 3, 6, 8), dtype=torch.uint8)
    predictor.begin(StreamInfo(1, (6, 8)))
    predictor.answer(FrameBatch(first))
    motion = torch.tensor([-2.0, -1.0])[None, :, None, None].expand(1, 2, 6, 8)
    (moved,) = predictor.answer(FrameBatch(first.roll((1, 2), (2, 3)), motion=motion))
    assert torch.equal(moved, predictor_of_every_frame(network, first.roll((1, 2), (2, 3))))
    assert not predictor.is_key_frame


def predictor_of_every_frame(network, pictures):
    return build("per_frame", network, TASK).answer(FrameBatch(pictures))[0]
