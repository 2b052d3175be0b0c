"""Students of boxes and of classes of frames learn by their task's own imitation, and have its score."""

import pytest
import torch
from tasks.detectors import OPTIONS, SIZE, build, redraw_classes
from torch import nn

from deltadistill.online.settings import Settings
from deltadistill.online.stream import OnlineStream
from deltadistill.tasks.classification import Classification
from deltadistill.tasks.detection import Detection
from deltadistill.tasks.suppression import Suppression


class Mean(nn.Module):
    """Class scores of a frame, linear in its mean colour."""

    def __init__(self, classes):
        super().__init__()
        self.scores = nn.Linear(3, classes)

    def forward(self, frames):
        return self.scores(frames.mean((2, 3)))


def test_a_classifier_learns_from_the_teachers_scores():
    torch.manual_seed(0)
    student, teacher = Mean(6), Mean(6)
    with torch.no_grad():
        teacher.scores.bias[3] += 10
        student.scores.bias[1] += 1
    settings = Settings(threshold=1.0, learning_rate=0.3, shortest=2)
    stream = OnlineStream(student, Classification(6), teacher=teacher, settings=settings)
    frames = torch.randn(5, 1, 3, 4, 4)
    for frame in frames:
        stream(frame)
    first = stream.lessons[0]
    assert (first.before, first.after) == (0, 1)
    assert stream.network(frames[0]).argmax() == 3
    with pytest.raises(ValueError, match="take loss 'imitation' and no background"):
        OnlineStream(student, Classification(6), teacher=teacher, settings=Settings(background=0))


@pytest.mark.parametrize("name", OPTIONS)
def test_a_detector_learns_from_the_teachers_boxes(name):
    student, teacher = build(name), build(name)
    redraw_classes(student)
    task = Detection(3, Suppression(0.05, 0.5, 100, 10), 0.1)
    # so slow, since gradients of untrained detectors are of the order of 10⁵
    settings = Settings(threshold=1.0, updates=2, learning_rate=1e-7, batch_norm="frozen")
    stream = OnlineStream(student, task, teacher=teacher, settings=settings)
    before = [parameter.clone() for parameter in stream.network.parameters()]
    stream(torch.randn(1, 3, *SIZE))
    (lesson,) = stream.lessons
    assert (lesson.steps, lesson.undone) == (2, None)
    assert 0 <= lesson.before < 1
    assert not all(torch.equal(*pair) for pair in zip(before, stream.network.parameters(), strict=True))
