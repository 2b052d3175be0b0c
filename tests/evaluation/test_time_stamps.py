"""What a predictor is told of time in every evaluation: seconds since its stream began, and the rate."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.consistency import measure
from deltadistill.evaluation.examples import example_predictions
from deltadistill.evaluation.frames import frame_batch, rate_of
from deltadistill.evaluation.positions import position_runs, score_positions
from deltadistill.evaluation.videos import score_videos
from deltadistill.predictors.predictor import Predictor
from deltadistill.tasks.segmentation import Segmentation


def clip(name, *, begins, step, frames=4):
    return tuple(
        Frame(name, n, "test", f"{n}.png", None, seconds=None if step is None else begins + n * step)
        for n in range(frames)
    )


SLOW, FAST = clip("s", begins=10.0, step=0.5), clip("f", begins=3.0, step=0.25)
CLIPS = {"s": SLOW, "f": FAST}
TASK = Segmentation(8)


def picture(frame):
    """Green is the number of the frame, red tells the clip."""
    return torch.tensor([ord(frame.clip), frame.index, 0], dtype=torch.uint8).view(3, 1, 1).expand(3, 2, 2)


STORE = SimpleNamespace(image=picture)


def reference(frame):
    return torch.zeros(2, 2, dtype=torch.uint8)


class Told(Predictor):
    """Writes down what it is told, by streams: their rate, then of each frame the number and the seconds."""

    def __init__(self):
        self.streams = []

    def begin(self, stream):
        self.streams.append((stream.streams, stream.frames_per_second, []))

    def answer(self, frame):
        seconds = None if frame.seconds is None else frame.seconds.tolist()
        self.streams[-1][2].append((frame.pictures[:, 1, 0, 0].tolist(), seconds))
        return frame.pictures[:, 1]

    def costs(self, networks):
        return networks["network"]


def test_the_rate_of_streams_side_by_side_is_known_where_it_is_the_same():
    assert rate_of([SLOW]) == 2
    assert rate_of([FAST, clip("g", begins=0.0, step=0.25)]) == 4
    assert rate_of([SLOW, FAST]) is None
    assert rate_of([clip("u", begins=0.0, step=None)]) is None


def test_seconds_count_from_the_beginning_of_each_stream():
    now, begun = [SLOW[3], FAST[3], FAST[2]], [SLOW[1], FAST[0], FAST[2]]
    assert frame_batch(STORE, now, since=begun).seconds.tolist() == [1.0, 0.75, 0.0]
    assert frame_batch(STORE, now).seconds is None
    unknown = clip("u", begins=0.0, step=None)
    assert frame_batch(STORE, [SLOW[1], unknown[1]], since=[SLOW[0], unknown[0]]).seconds is None
    assert frame_batch(STORE, [SLOW[1]], since=[unknown[0]]).seconds is None


def test_a_run_tells_the_seconds_since_its_key_frame():
    told = Told()
    score_positions(
        told, TASK, STORE, position_runs(CLIPS, 3, counts=lambda frame: frame.index > 2), reference,
        longest=3, batch=8,
    )  # fmt: skip
    assert told.streams == [
        (2, None, [([3, 3], [0, 0])]),  # runs of one frame have no rate
        (2, None, [([2, 2], [0, 0]), ([3, 3], [0.5, 0.25])]),  # and these two have different ones
        (2, None, [([1, 1], [0, 0]), ([2, 2], [0.5, 0.25]), ([3, 3], [1, 0.5])]),
    ]


def test_frames_that_are_answered_alone_begin_streams_of_their_own():
    told = Told()
    told.uses_history = False
    score_positions(told, TASK, STORE, position_runs(CLIPS, 3), reference, longest=3, batch=8)
    assert told.streams == [(4, None, [([2, 3, 2, 3], [0, 0, 0, 0])])]


def test_a_whole_video_tells_its_rate_and_the_seconds_since_its_first_frame():
    told = Told()
    score_videos(told, TASK, STORE, CLIPS, reference, schedule=FixedPeriod(2))
    assert told.streams == [
        (1, 2, [([n], [n / 2]) for n in range(4)]),
        (1, 4, [([n], [n / 4]) for n in range(4)]),
    ]


def test_an_example_tells_its_rate_and_the_seconds_since_its_first_frame():
    told = Told()
    found = example_predictions(told, TASK, STORE, {"s": SLOW, "f": FAST[1:]}, lengths=[2])
    assert told.streams == [
        (1, 2, [([n], [n / 2]) for n in range(3)]),
        (1, 4, [([n + 1], [n / 4]) for n in range(3)]),
    ]
    assert found["predictions_T2"][:, :, 0, 0].tolist() == [[0, 1, 2], [1, 2, 3]]


@dataclass(frozen=True)
class Recorded:
    """An agreement that writes down what it is to compare."""

    seen: list
    ways: tuple = (("own", "all"),)

    def meter(self):
        return SimpleNamespace(
            state=lambda: None, add=None, percent=lambda: 25.0, coverage_percent=lambda: float("nan")
        )

    def between(self, pairs):
        places = [(before.clip, before.index, now.index) for before, now in pairs]
        yield (
            self.ways[0],
            lambda meter, before, now: self.seen.append((places, numbers(before), numbers(now))),
        )


def numbers(predictions):
    return predictions[:, 0, 0].tolist()


@pytest.mark.parametrize("batch", [1, 2])
def test_successive_frames_are_compared_and_the_streams_know_their_time(batch):
    told, seen = Told(), []
    clips = {"s": SLOW[:3], "g": clip("g", begins=1.0, step=0.5, frames=3), "f": FAST[:2]}
    found = measure({2: told}, STORE, clips, Recorded(seen), batch=batch)
    assert found == {2: {"own": {"all": {"consistency": 25, "coverage": None}}}}
    pairs = [
        (place, before, now) for places, b, n in seen for place, before, now in zip(places, b, n, strict=True)
    ]
    assert sorted(pairs) == [
        (("f", 0, 1), 0, 1),
        *[((name, n, n + 1), n, n + 1) for name in "gs" for n in range(2)],
    ]
    of_two = (batch, 2, [([n] * batch, [n / 2] * batch) for n in range(3)])
    assert told.streams == [(1, 4, [([0], [0]), ([1], [0.25])]), *[of_two] * (2 // batch)]
