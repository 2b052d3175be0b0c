"""The online predictor: answers, key frames and costs of streams that learn, from params.yaml too."""

import pytest
import torch
from extension.toy_evaluation import evaluated
from online.small_streams import SIZE, TASK, Stripes, delta_network, student
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.data.frames import normalise
from deltadistill.online.settings import Settings
from deltadistill.online.stream import OnlineStream
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, build

QUICK = {"threshold": 0.9, "shortest": 2, "longest": 4, "learning_rate": 0.05}


def video(count, *, streams=1, seed=0):
    draws = torch.Generator().manual_seed(seed)
    shape = (streams, 3, *SIZE)
    return [torch.randint(256, shape, dtype=torch.uint8, generator=draws) for _ in range(count)]


def online(network=None, **options):
    networks = {} if network is not None else {"teacher": Stripes()}
    return build("online", network or student(), TASK, networks=networks, options=QUICK | options)


def answers(predictor, pictures, schedule=None):
    info = StreamInfo(len(pictures[0]), SIZE, **({"schedule": schedule} if schedule else {}))
    predictor.begin(info)
    return [(predictor.answer(FrameBatch(each)), predictor.is_key_frame) for each in pictures]


@pytest.mark.parametrize("kind", ["network", "delta"])
def test_it_answers_as_the_stream_that_learns_does(kind):
    network = student() if kind == "network" else delta_network()
    teacher = Stripes() if kind == "network" else None
    stream = OnlineStream(network, TASK, teacher=teacher, settings=Settings(**QUICK))
    predictor = online(None if kind == "network" else network)
    for pictures, (labels, is_key) in zip(video(9), answers(predictor, video(9)), strict=True):
        assert torch.equal(labels, stream(normalise(pictures)).argmax(1).to(torch.uint8))
        assert is_key == stream.is_labelled
    assert predictor.lessons == [list(stream.lessons)]
    assert predictor.state_bytes == stream.state_bytes > 0


def test_every_stream_of_a_batch_has_a_student_of_its_own():
    both, predictor = video(7, streams=2), online()
    together = [labels for labels, _ in answers(predictor, both)]
    for n in range(2):
        alone = [labels for labels, _ in answers(online(), [each[n : n + 1] for each in both])]
        assert all(torch.equal(pair[n : n + 1], one) for pair, one in zip(together, alone, strict=True))


def test_steps_of_the_last_frame_are_told_for_all_streams():
    predictor = online(threshold=1.0, updates=3)
    predictor.begin(StreamInfo(2, SIZE))
    told = []
    for pictures in video(3, streams=2):
        predictor.answer(FrameBatch(pictures))
        told.append(predictor.last_updates)
    assert told == [6, 0, 6]


def test_it_forgets_a_video_and_leaves_the_networks_it_was_given_alone():
    network = student()
    before = [value.clone() for value in network.state_dict().values()]
    predictor = build("online", network, TASK, networks={"teacher": Stripes()}, options=QUICK)
    first = answers(predictor, video(5))
    answers(predictor, video(4, seed=1))
    again = answers(predictor, video(5))
    assert all(torch.equal(one[0], other[0]) for one, other in zip(first, again, strict=True))
    assert all(torch.equal(*pair) for pair in zip(before, network.state_dict().values(), strict=True))


def test_labelled_frames_may_be_those_of_the_schedule():
    keys = [is_key for _, is_key in answers(online(labelled_by="schedule"), video(7), FixedPeriod(3))]
    assert keys == [True, False, False, True, False, False, True]
    keys = [is_key for _, is_key in answers(online(threshold=0.0), video(7), FixedPeriod(3))]
    assert keys == [True, False, False, False, True, False, False]  # δ doubles from 2 to 4


def test_the_cost_of_a_frame_counts_the_teacher_and_every_step():
    predictor = build(
        "online",
        nn.Conv2d(3, 3, 1),
        TASK,
        networks={"teacher": Stripes()},
        options=QUICK | {"threshold": 1.0},
    )
    costs = {MAIN: FrameCosts(Cost(720), Cost(720)), "teacher": FrameCosts(Cost(5000), Cost(5000))}
    predictor.begin(StreamInfo(1, SIZE))
    found = []
    for pictures in video(3):
        predictor.answer(FrameBatch(pictures))
        found.append(predictor.last_cost(costs).macs)
    # nine answers and eight steps: 9 MACs a pixel of 80, and the gradient of the weights as many again
    assert found == [5000 + 17 * 720, 720, 5000 + 17 * 720]
    assert predictor.costs(costs).amortised(5) == Cost(720 + 1000)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"part": "first"}, "part 'first' is unknown"),
        ({"treshold": 0.5}, "treshold.*its settings: labelled_by, threshold, updates"),
        ({"threshold": 80}, "threshold 80 must be a score"),
        ({"labelled_by": "chance"}, "labelled_by 'chance' is unknown"),
        ({"loss": "weighted"}, "name its class"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        online(**options).begin(StreamInfo(1, SIZE))


def test_a_variant_of_params_yaml_learns_over_whole_videos(tmp_path, monkeypatch):
    entry = {
        "network": "pretrain_teacher",
        "networks": {"teacher": "distill/small"},
        "predict": "online",
        "options": {"threshold": 1.0, "updates": 2, "shortest": 2, "longest": 4, "batch_norm": "running"},
    }
    stages = "evaluate_videos", "measure_latency", "sweep_sequence_length"
    schedules = {"every_3": {"schedule": "fixed", "options": {"period": 3}, "scored_every": 2}}
    found, latency, sweep = evaluated(
        tmp_path, monkeypatch, "online", entry, stages=stages, schedules=schedules
    )
    scored = [each["miou"] is not None for each in found["schedules"]["every_3"]["curve"]]
    assert scored == [n % 2 == 0 for n in range(len(scored))]
    whole = found["schedules"]["every_3"]["whole"]
    assert found["variant"] == "online"
    assert 0 < whole["key_frames"] <= 0.6
    assert whole["gmacs"] > 0 < whole["milliseconds"]
    curve = found["schedules"]["every_3"]["curve"]
    reasons = {each["reason"] for each in latency["left_out"] if each["variant"] == "online"}
    assert any("evaluate_videos times it over whole videos" in reason for reason in reasons)
    assert sweep["lengths"]["1"]["gmacs"] > sweep["lengths"]["3"]["gmacs"] > 0
    assert curve[0]["gmacs"] > 4 * curve[1]["gmacs"]  # the teacher and two steps, against the student alone
