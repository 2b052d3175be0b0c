"""Objectives on logits: Hinton's and the decoupled ones, by hand, and on a student and its teacher."""

from math import log

import pytest
import torch
from objectives.pairs import pair, seen
from training.toy_trainings import small_network

import deltadistill as dd
from deltadistill.objectives.dkd import decoupled_divergence
from deltadistill.objectives.logits import softened_divergence
from deltadistill.objectives.setting import make_objective
from deltadistill.tasks.segmentation import Segmentation


def test_softened_logits_by_hand():
    """At T = 2 logits of 2 log p give p itself: teacher (¾, ¼), student (½, ½)."""
    taught = 2 * torch.tensor([[0.75, 0.25]]).log()
    found = softened_divergence(torch.zeros(1, 2), taught, 2.0)
    assert float(found) == pytest.approx(4 * (0.75 * log(1.5) + 0.25 * log(0.5)), rel=1e-5)


def test_softened_logits_are_a_mean_over_frames_and_places():
    taught = torch.tensor([0.75, 0.25]).log().view(1, 2, 1, 1).expand(1, 2, 1, 2).clone()
    taught[..., 1] = 0.0
    found = softened_divergence(torch.zeros(1, 2, 1, 2), taught, 1.0)
    assert float(found) == pytest.approx((0.75 * log(1.5) + 0.25 * log(0.5)) / 2, rel=1e-5)


def test_the_decoupled_divergences_by_hand():
    """Teacher (½, ⅜, ⅛) and student (¼, ⅜, ⅜) of true class 0: (½, ½) to (¼, ¾), and (¾, ¼) to (½, ½)."""
    taught, own = torch.tensor([[0.5, 0.375, 0.125]]).log(), torch.tensor([[0.25, 0.375, 0.375]]).log()
    given = {"temperature": 1.0, "classes": torch.tensor([0])}
    target = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75)
    others = 0.75 * log(1.5) + 0.25 * log(0.5)
    for alpha, beta in ((1.0, 0.0), (0.0, 1.0), (2.0, 8.0)):
        found = decoupled_divergence(own, taught, alpha=alpha, beta=beta, **given)
        assert float(found) == pytest.approx(alpha * target + beta * others, rel=1e-5)


def test_decoupled_they_add_up_to_the_whole_divergence():
    """KL = TCKD + (1 − p of the teacher's true class) NCKD (Eq. 5 of DKD)."""
    torch.manual_seed(0)
    own, taught, classes = torch.randn(1, 5), torch.randn(1, 5), torch.tensor([3])
    share = 1 - float(taught.softmax(1)[0, 3])
    found = decoupled_divergence(own, taught, classes, alpha=1.0, beta=share, temperature=1.0)
    assert float(found) == pytest.approx(float(softened_divergence(own, taught, 1.0)), rel=1e-5)


@pytest.mark.parametrize(("name", "options"), [("logits", {"temperature": 2.0}), ("dkd", {"beta": 2.0})])
def test_a_student_learns_by_them_and_the_teacher_stays(name, options):
    student, teacher, setting = pair()
    objective = make_objective(name, setting, options)
    what = seen(objective, student, teacher)
    loss = objective.loss(what, objective.batch_extent([what]))
    loss.backward()
    assert loss > 0
    assert all(parameter.grad is not None for parameter in student.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_frames_without_a_class_count_as_nothing_to_dkd():
    student, teacher, setting = pair()
    objective = make_objective("dkd", setting)
    all_known = seen(objective, student, teacher)
    one = seen(objective, student, teacher, labels=(0.0, float("nan")))
    assert (float(objective.extent(all_known)), float(objective.extent(one))) == (2, 1)
    none = seen(objective, student, teacher, labels=(float("nan"),) * 2)
    assert objective.loss(none, torch.tensor(1.0)).item() == 0


def test_dkd_needs_a_class_of_each_frame():
    _, _, setting = pair(task=Segmentation(3))
    with pytest.raises(ValueError, match="dkd needs the true class of every frame"):
        make_objective("dkd", setting)


def test_logits_are_imitated_beside_the_deltas():
    network = dd.convert(small_network(), dd.LinearStudent(gamma=2))
    torch.manual_seed(0)
    clips = torch.rand(2, 2, 3, 8, 8)
    rows = dd.distill(network, clips, steps=2, objectives={"logits": {"weight": 0.1}}, progress=False)
    assert len(rows) == 2
