"""Scores of a network frame by frame and of a delta network clip by clip, against loops written out here."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.data.frames import normalise
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.clips import clip_score
from deltadistill.evaluation.frames import per_frame_score, teacher_reference
from deltadistill.metrics.miou import ConfusionMatrix
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
