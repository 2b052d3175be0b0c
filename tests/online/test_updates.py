"""The update loop by itself, with scripted scores, and the goals it works towards, by hand."""

import math

import pytest
import torch
from torch import nn

from deltadistill.online.goals import Labels, goals_of
from deltadistill.online.updates import update
from deltadistill.tasks.segmentation import Segmentation

FRAME = torch.zeros(1, 3, 2, 2)


class Scripted:
    """A student whose only weight is the number of steps it took; `breaks_at`: a step that breaks it."""

    def __init__(self, *, learns_as_it_answers=True, breaks_at=None):
        self.learns_as_it_answers = learns_as_it_answers
        self.steps, self.breaks_at, self.calls = 0, breaks_at, []

    def answer(self, frame):
        self.calls.append("answer")
        return torch.tensor(float(self.steps))

    def learning_answer(self, frame):
        self.calls.append("learn")
        return torch.tensor(float(self.steps), requires_grad=True)

    def begin_frame(self):
        self.begun = self.steps

    def step(self, loss):
        self.calls.append("step")
        self.steps += 1

    def is_finite(self):
        return self.steps != self.breaks_at

    def snapshot(self):
        return self.steps

    def restore(self, snapshot):
        self.steps = snapshot


class Goal:
    """Scores by the number of steps taken; `losses` likewise, by default 1."""

    def __init__(self, *scores, losses=None):
        self.scores, self.losses = scores, losses

    def score(self, output):
        return self.scores[int(output)]

    def loss(self, output):
        return output * 0 + (1.0 if self.losses is None else self.losses[int(output)])


def test_it_stops_as_soon_as_the_score_has_reached_the_threshold():
    found = update(student := Scripted(), Goal(0.5, 0.7, 0.8, 0.9), FRAME, threshold=0.8, at_most=8)
    assert (found.before, found.after, found.steps, student.steps) == (0.5, 0.8, 2, 2)
    assert not found.output.requires_grad
    assert found.undone is None


def test_after_every_step_comes_one_on_what_is_rehearsed_and_both_count():
    again, asked = Goal(0, 0, losses=[1.0] * 9), []

    def rehearse(step):
        asked.append(step)
        return (FRAME, again) if step == 0 else None

    goal, student = Goal(0.1, 0.2, 0.3, 0.4, 0.9), Scripted()
    found = update(student, goal, FRAME, threshold=0.8, at_most=2, rehearse=rehearse)
    assert (found.before, found.after, found.steps, student.steps) == (0.1, 0.4, 3, 3)
    assert asked == [0, 1]
    assert student.begun == 0


def test_a_rehearsed_step_that_breaks_the_weights_undoes_all():
    again, student = Goal(0.5, losses=[1.0] * 9), Scripted(breaks_at=2)
    found = update(
        student, Goal(0.1, 0.2), FRAME, threshold=0.8, at_most=2, rehearse=lambda step: (FRAME, again)
    )
    assert found.undone == "weights are not finite after a step"
    assert (found.steps, student.steps) == (2, 0)


def test_a_student_that_agrees_already_takes_no_step():
    found = update(student := Scripted(), Goal(0.9), FRAME, threshold=0.8, at_most=8)
    assert (found.before, found.after, found.steps) == (0.9, 0.9, 0)
    assert student.calls == ["learn"]


def test_it_takes_no_more_steps_than_allowed_and_scores_the_last_one():
    found = update(Scripted(), Goal(0.1, 0.2, 0.3, 0.4), FRAME, threshold=0.8, at_most=3)
    assert (found.before, found.after, found.steps) == (0.1, 0.4, 3)


def test_one_pass_serves_score_and_step_where_learning_and_answering_are_the_same():
    update(same := Scripted(), Goal(0.1, 0.2, 0.9), FRAME, threshold=0.8, at_most=8)
    update(other := Scripted(learns_as_it_answers=False), Goal(0.1, 0.9), FRAME, threshold=0.8, at_most=8)
    assert same.calls == ["learn", "step", "learn", "step", "learn"]
    assert other.calls == ["answer", "learn", "step", "answer"]


def test_weights_that_are_not_finite_after_a_step_are_those_of_before_all_steps():
    student = Scripted(breaks_at=2)
    found = update(student, Goal(0.1, 0.3, 0.9), FRAME, threshold=0.8, at_most=8)
    assert (found.before, found.after, found.steps, student.steps) == (0.1, 0.1, 2, 0)
    assert found.undone == "weights are not finite after a step"


def test_a_loss_that_is_not_finite_is_not_learned_from():
    student = Scripted()
    found = update(student, Goal(0.1, 0.3, losses=[1, math.nan]), FRAME, threshold=0.8, at_most=8)
    assert (student.steps, found.undone) == (0, "the loss is nan")
    assert student.calls[-1] == "answer"


def logits_of(*probabilities):
    """One row of pixels with these class probabilities, (1, classes, 1, pixels)."""
    return torch.tensor(probabilities).log().t()[None, :, None]


def test_a_pixel_of_the_foreground_weighs_as_asked():
    labels = torch.tensor([[[0, 1]]])
    logits = logits_of([0.5, 0.5], [0.75, 0.25])  # −ln ½ for the background's pixel, −ln ¼ for the other
    goal = Labels(labels, 2, background=0, foreground=5.0)
    assert goal.loss(logits).item() == pytest.approx((math.log(2) + 5 * math.log(4)) / 6)
    assert Labels(labels, 2).loss(logits).item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_the_score_is_the_mean_iou_over_the_teachers_classes_without_the_background():
    labels = torch.tensor([[[0, 0, 1, 1]]])
    logits = logits_of([0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9])
    assert Labels(labels, 2, background=0).score(logits) == pytest.approx(2 / 3)
    assert Labels(labels, 2).score(logits) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_a_teacher_of_label_maps_may_be_imitated_by_its_output_and_scored_by_its_labels():
    task, taught = Segmentation(2), logits_of([0.9, 0.1], [0.2, 0.8])
    goal = goals_of(task, loss="imitation")(taught, network=nn.Identity(), teacher=nn.Identity())
    assert goal.loss(taught).item() == pytest.approx(0, abs=1e-7)
    assert goal.score(logits_of([0.6, 0.4], [0.4, 0.6])) == 1
    assert goal.loss(logits_of([0.6, 0.4], [0.4, 0.6])).item() > 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "weighted"}, "name its class, background: 0"),
        ({"loss": "dice"}, "loss 'dice' is unknown; allowed: weighted, unweighted, imitation"),
        ({"background": 0, "foreground": 0}, "foreground 0 must be above 0"),
    ],
)
def test_losses_that_make_no_sense_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        goals_of(Segmentation(2), **options)
