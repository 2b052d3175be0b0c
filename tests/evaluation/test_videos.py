"""Whole videos without a reset, against a loop written out here."""

import functools
import itertools
import operator
import signal
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import Adaptive, Gaps
from deltadistill.data.frames import normalise
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.counting import Counting
from deltadistill.evaluation.videos import describe_videos, score_videos
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.predictors.predictor import MAIN, build
from deltadistill.processes.kept_counts import Parts
from deltadistill.tasks.segmentation import Segmentation

TASK, SIZE = Segmentation(3), (6, 8)
CLIPS = {
    name: tuple(Frame(name, n, "test", f"{n}.png", "l" if n % 2 else None) for n in range(length))
    for name, length in {"a": 7, "b": 4}.items()
}
COSTS = {MAIN: FrameCosts(Cost(macs=90), Cost(macs=20))}


def picture(frame):
    draws = torch.Generator().manual_seed(100 * ord(frame.clip) + frame.index)
    return torch.randint(256, (3, *SIZE), dtype=torch.uint8, generator=draws)


def reference(frame):
    return picture(frame)[0] % 3


STORE = SimpleNamespace(image=picture)


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 3, 1)
    converted = dd.convert(nn.Sequential(*layers).eval(), dd.LinearStudent(gamma=4))
    converted[1].decide("compressed")
    return converted


def score(network, **options):
    given = {"schedule": Gaps([2, 3]), "costs": COSTS, "counts": lambda frame: frame.label is not None}
    predictor = build("stream", network, TASK)
    return score_videos(predictor, TASK, STORE, CLIPS, reference, **(given | options))


def test_every_frame_is_answered_once_in_one_stream_per_video(network):
    scored = score(network)
    for name, frames in CLIPS.items():
        stream = dd.Stream(network, schedule=Gaps([2, 3]))  # key frames 0, 2, 5
        for n, frame in enumerate(frames):
            labels = stream(normalise(picture(frame)[None])).argmax(1)[0]
            expected = ConfusionMatrix(3)
            if n % 2:
                expected.update(labels, reference(frame))
            assert torch.equal(scored[name].metrics[n].counts, expected.counts)
            assert scored[name].course.are_key[n] == stream.is_key_frame == (n in (0, 2, 5))
            assert scored[name].course.costs[n].macs == (90 if n in (0, 2, 5) else 20)
            assert scored[name].course.costs[n].bytes == stream.state_bytes > 0


def test_mean_and_curve_are_of_all_videos_and_of_each(network):
    ticks = itertools.count(step=3_000_000)  # every answer takes 3 ms
    scored = score(network, clock_ns=lambda: next(ticks))
    found = describe_videos(TASK, scored)
    # a: key frames 0, 2, 5 of 7; b: 0, 2 of 4
    assert found["macs"] == (5 * 90 + 6 * 20) / 11
    assert found["videos"]["b"]["macs"] == (90 + 20 + 90 + 20) / 4
    assert found["milliseconds"] == 3
    assert found["key_frames"] == 5 / 11
    assert [point["macs"] for point in found["curve"]] == [90, 20, 90, 20, 20, 90, 20]
    assert [point["miou"] is None for point in found["curve"]] == [n % 2 == 0 for n in range(7)]
    both = scored["a"].metrics[1] + scored["b"].metrics[1]
    assert found["curve"][1]["miou"] == 100 * both.miou()
    assert found["videos"]["a"]["curve"][5]["miou"] == 100 * scored["a"].metrics[5].miou()
    counted = [video.metrics[n] for video in scored.values() for n in (1, 3, 5) if n < len(video.metrics)]
    assert found["miou"] == 100 * functools.reduce(operator.add, counted).miou()
    assert found["worst"] == 100 * min(each.miou() for each in counted)


def test_without_costs_and_counts_every_frame_is_scored_and_macs_are_not_known(network):
    found = describe_videos(TASK, score(network, costs=None, counts=None))
    assert found["macs"] is None
    assert all(point["miou"] is not None for point in found["curve"])


def test_an_adaptive_schedule_is_scored_and_begins_anew_with_every_video(network):
    brightness = (0, 30, 60, 60, 200, 200, 10)
    store = SimpleNamespace(
        image=lambda frame: torch.full((3, *SIZE), brightness[frame.index], dtype=torch.uint8)
    )
    predictor = build("stream", network, TASK)
    scored = score_videos(predictor, TASK, store, CLIPS, reference, schedule=Adaptive(60))
    assert scored["a"].course.are_key == [True, False, True, False, True, False, True]
    assert scored["b"].course.are_key == [True, False, True, False]


def test_an_interrupted_one_goes_on_with_the_video_it_was_in(network, tmp_path):
    seen = []

    def interrupt(frame):
        seen.append((frame.clip, frame.index))
        if seen == [("a", 0), ("a", 1), ("a", 2)]:
            signal.raise_signal(signal.SIGTERM)
        return True

    ticks = itertools.repeat(0)
    given = {"clock_ns": lambda: next(ticks)}
    with pytest.raises(SystemExit):
        score(network, counts=interrupt, counting=Counting(Parts(tmp_path, minutes=60)), **given)
    assert seen == [("a", n) for n in range(7)]  # a signal ends no video
    seen.clear()
    scored = score(network, counts=interrupt, counting=Counting(Parts(tmp_path, minutes=60)), **given)
    assert seen == [("b", n) for n in range(4)]
    whole = score(network, counts=None, **given)
    assert describe_videos(TASK, scored) == describe_videos(TASK, whole)
