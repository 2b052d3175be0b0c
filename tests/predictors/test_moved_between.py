"""Another predictor on every n-th frame, its answers moved between."""

import pytest
import torch
from data.small_dataset import make_manifest
from preparation.small_videos import drifting
from torch import nn

import deltadistill as dd
from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import FixedPeriod, OnDemand
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.costs_by_length import costs_by_length
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.moved_between import MovedBetween
from deltadistill.predictors.predictor import MAIN, Predictor, build

SIZE = (64, 96)


class Labels:
    """The task: where the picture is bright."""

    def predict(self, output, *, network):
        return (output[:, 0] > output[:, 0].median()).long()


class Noted(Predictor):
    """Answers with the number of the frame, and says which frames it has answered and passed over."""

    def __init__(self):
        self.frames, self.answered, self.passed = 0, [], []

    def begin(self, stream):
        self.schedule = stream.schedule

    def answer(self, frame):
        self.is_key_frame = self.schedule.is_due(frame.pictures)
        self.schedule.note(frame.pictures, is_key=self.is_key_frame)
        self.answered.append((int(frame.pictures[0, 0, 0, 0]), self.is_key_frame))
        return torch.full((len(frame.pictures), *SIZE), float(frame.pictures[0, 0, 0, 0]))

    def pass_over(self, frame):
        self.passed.append(int(frame.pictures[0, 0, 0, 0]))

    def costs(self, networks):
        return networks[MAIN]


def run(predictor, count, schedule):
    predictor.begin(StreamInfo(1, SIZE, schedule=schedule))
    frames = [FrameBatch(torch.full((1, 3, *SIZE), index, dtype=torch.uint8)) for index in range(count)]
    costs = {MAIN: FrameCosts(Cost(macs=1000), Cost(macs=200))}
    found = [(predictor.answer(frame), predictor.last_cost(costs).macs) for frame in frames]
    return [int(answer[0, 0, 0]) for answer, _ in found], [cost for _, cost in found]


def test_the_other_one_answers_key_frames_and_every_nth_after_them():
    noted = Noted()
    predictor = MovedBetween.around(noted, every=3, preset="fast")
    answers, costs = run(predictor, 9, FixedPeriod(5))
    assert noted.answered == [(0, True), (3, False), (5, True), (8, False)]
    assert noted.passed == [1, 2, 4, 6, 7]
    assert answers == [0, 0, 0, 3, 3, 5, 5, 5, 8]
    moving = Motions("flow", preset="fast", longest=320).macs(SIZE) + 4 * SIZE[0] * SIZE[1]  # a map of floats
    assert costs == [1000, moving, moving, 200, moving, 1000, moving, moving, 200]


def test_every_frame_is_the_other_predictor_itself():
    noted = Noted()
    answers, costs = run(MovedBetween.around(noted, every=1), 4, FixedPeriod(2))
    assert answers == [0, 1, 2, 3]
    assert costs == [1000, 200, 1000, 200]
    assert noted.answered == [(0, True), (1, False), (2, True), (3, False)]
    assert noted.passed == []


def test_a_stream_begun_anew_begins_with_a_key_frame():
    noted = Noted()
    predictor = MovedBetween.around(noted, every=2)
    run(predictor, 2, OnDemand())
    run(predictor, 2, OnDemand())
    assert noted.answered == [(0, True)] * 2


def network(choice="compressed"):
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
    converted = dd.convert(nn.Sequential(*layers, nn.Conv2d(8, 1, 1)).eval(), dd.LinearStudent(gamma=8))
    converted[2].decide(choice)
    return dd.deploy(converted)


def pictures(count):
    frames = drifting(2 * count, SIZE)[::2]
    return [FrameBatch(torch.from_numpy(frame.copy()).permute(2, 0, 1)[None]) for frame in frames]


def answers(name, network, **options):
    predictor = build(name, network, Labels(), options=options)
    predictor.begin(StreamInfo(1, SIZE))
    return [predictor.answer(frame) for frame in pictures(5)]


def test_answers_between_follow_the_picture():
    every_frame, found = (
        answers(predict, network("uncompressed")) for predict in ("stream", "moved_between")
    )
    inside = (..., slice(12, 52), slice(18, 78))
    for index in (1, 3):
        wanted = every_frame[index][inside]
        moved, unmoved = (
            (each[inside] != wanted).float().mean() for each in (found[index], every_frame[index - 1])
        )
        assert moved < unmoved / 2


def test_a_predictor_that_joins_motion_sees_the_frames_between():
    moving = {"motion": "encoded"}
    every_frame = answers("moved_stream", network("compressed"), **moving)
    found = answers("moved_between", network("compressed"), predict="moved_stream", options=moving)
    assert all(torch.equal(found[index], every_frame[index]) for index in (0, 2, 4))


def test_costs_over_a_sequence_are_those_of_what_is_done_on_its_frames(tmp_path):
    store = FrameStore(make_manifest(tmp_path, clips={"train": 1, "tune": 1, "test": 2}), cache_bytes=0)
    size = (3, *store.size)
    delta_network = network()
    given = delta_network, delta_network, [1, 3]
    predictor = build("moved_between", delta_network, Labels(), options={"preset": "fast"})
    stream = costs_by_length(build("stream", delta_network, Labels()), *given, size=size)
    found = costs_by_length(predictor, *given, size=size, store=store)
    moving = Motions("flow", preset="fast", longest=320).macs(store.size) / 1e9
    key = stream[1]["gmacs"]
    delta = (3 * stream[3]["gmacs"] - key) / 2
    assert found[1]["gmacs"] == pytest.approx(key)
    assert found[3]["gmacs"] == pytest.approx((key + moving + delta) / 3)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"every": 0}, "every 0 must be a whole number of frames"),
        ({"every": 1.5}, "every 1.5 must be"),
        ({"predict": "moved_between"}, "runs another predictor, not itself"),
        ({"predict": "moved_stream", "options": {"coarse": 1}}, "unexpected keyword argument 'coarse'"),
        ({"motion": "sight"}, "motion 'sight' is unknown"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        build("moved_between", network(), Labels(), options=options)
