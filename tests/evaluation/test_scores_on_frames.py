"""Scores of a network frame by frame and of a delta network clip by clip, against loops written out here."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.schedules import Gaps, OnDemand
from deltadistill.data.frames import normalise
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest
from deltadistill.evaluation.clips import clip_score
from deltadistill.evaluation.examples import example_predictions
from deltadistill.evaluation.frames import (
    frame_batch,
    labelled_frames,
    per_frame_score,
    split_frames,
    stream_of,
    teacher_reference,
)
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.predictors.predictor import build
from deltadistill.tasks.segmentation import Segmentation

TASK, SIZE = Segmentation(3), (6, 8)
FRAMES = [Frame("a", n, "tune", f"{n}.png", None) for n in range(7)]
WINDOWS = [FRAMES[start : start + 3] for start in (0, 2, 3, 1, 4)]


def picture(frame):
    draws = torch.Generator().manual_seed(frame.index)
    return torch.randint(256, (3, *SIZE), dtype=torch.uint8, generator=draws)


STORE = SimpleNamespace(image=picture)


def network():
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 3, 1),
    )
    return nn.Sequential(*layers).eval()


def reference(frame):
    return picture(frame)[1] % 3


class Watched(Segmentation):
    """Notes how many frames it sees at once."""

    def __init__(self):
        super().__init__(3)
        self.seen = []

    def predict(self, output, *, network):
        assert not output.requires_grad
        assert not network.training
        self.seen.append(len(output))
        return super().predict(output, network=network)


@pytest.mark.parametrize(("batch", "seen"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (16, [7])])
def test_every_frame_counts_once_however_many_run_at_once(batch, seen):
    plain, task, turns = network(), Watched(), []
    expected = ConfusionMatrix(3)
    for frame in FRAMES:
        expected.update(plain(normalise(picture(frame)[None])).argmax(1)[0], reference(frame))
    plain.train()
    found = per_frame_score(
        plain, task, STORE, FRAMES, reference, batch=batch, between=lambda: turns.append(1)
    )
    assert torch.equal(found.counts, expected.counts)
    assert task.seen == seen
    assert len(turns) == len(seen)
    assert plain.training


@pytest.mark.parametrize(("batch", "seen"), [(1, [3] * 5), (2, [6, 6, 3]), (4, [12, 3]), (9, [15])])
def test_every_window_is_a_stream_that_begins_with_its_key_frame(batch, seen):
    delta = dd.convert(network(), dd.LinearStudent(gamma=4), dd.inner_layers)
    delta[2].decide("compressed")
    task, turns, expected = Watched(), [], ConfusionMatrix(3)
    for window in WINDOWS:
        stream = dd.Stream(delta, period=3)
        for frame in window:
            expected.update(stream(normalise(picture(frame)[None])).argmax(1)[0], reference(frame))
    found = clip_score(delta, task, STORE, WINDOWS, reference, batch=batch, between=lambda: turns.append(1))
    assert torch.equal(found.counts, expected.counts)
    assert task.seen == seen
    assert len(turns) == len(seen)


def test_a_teacher_predicts_each_frame_once_and_keeps_no_graph():
    teacher, task = network(), Watched()
    predict = teacher_reference(teacher, task, STORE)
    for frame in (FRAMES[2], FRAMES[5], FRAMES[2]):
        expected = teacher(normalise(picture(frame)[None])).argmax(1)[0]
        assert torch.equal(predict(frame).long(), expected)
    assert task.seen == [1, 1]


def test_frames_of_a_split_are_in_the_manifests_order_and_labelled_ones_among_them():
    made = [
        Frame(clip, n, split, "x.png", "l" if n % 2 else None)
        for clip, split in (("b", "tune"), ("c", "test"), ("a", "tune"))
        for n in range(4)
    ]
    manifest = Manifest(tuple(made), DatasetInfo("cityscapes", (2, 2), ()))
    store = SimpleNamespace(manifest=manifest, is_annotated=lambda frame: frame.label is not None)
    found = split_frames(store, "tune")
    assert sorted((frame.clip, frame.index) for frame in found) == [(c, n) for c in "ab" for n in range(4)]
    assert [frame.index for frame in found] == [0, 1, 2, 3] * 2
    assert labelled_frames(store, "tune") == [frame for frame in found if frame.index in (1, 3)]


def test_of_streams_that_begin_their_number_size_and_schedule_are_known():
    schedule = Gaps([2, 3])
    pictures = torch.zeros(5, 3, *SIZE, dtype=torch.uint8)
    for _ in range(2):
        schedule.note(pictures, is_key=schedule.is_due(pictures))
    first = frame_batch(STORE, FRAMES[:5])
    known = stream_of(first, schedule)
    assert (known.streams, known.size, known.schedule) == (5, SIZE, schedule)
    assert schedule.is_due(pictures)  # it begins again
    assert torch.equal(first.pictures[3], picture(FRAMES[3]))
    other = stream_of(frame_batch(STORE, FRAMES[:1]))
    assert other.streams == 1
    assert isinstance(other.schedule, OnDemand)


def test_examples_are_streams_of_clips_cut_to_the_shortest():
    delta = dd.convert(network(), dd.LinearStudent(gamma=4), dd.inner_layers)
    delta[2].decide("compressed")
    clips = {"long": FRAMES, "short": [replace(frame, clip="short") for frame in FRAMES[2:7]]}
    predictor = build("stream", delta, TASK)
    found = example_predictions(predictor, TASK, STORE, clips, lengths=[1, 3])
    assert list(found) == ["clips", "predictions_T1", "predictions_T3"]
    assert found["clips"].tolist() == ["long", "short"]
    for period in (1, 3):
        assert found[f"predictions_T{period}"].shape == (2, 5, *SIZE)
        for row, frames in enumerate(clips.values()):
            stream = dd.Stream(delta, period=period)
            for n, frame in enumerate(frames[:5]):
                expected = stream(normalise(picture(frame)[None])).argmax(1)[0]
                assert (found[f"predictions_T{period}"][row, n] == expected.numpy()).all()
