"""Objectives on maps of a student that pools earlier: FitNets, attention transfer, SimKD, ReviewKD."""

import pytest
import torch
from objectives.pairs import pair, seen
from torch import nn

from deltadistill.objectives.attention_transfer import attention_distance
from deltadistill.objectives.compared_maps import at_one_size, last_at_each_size
from deltadistill.objectives.fitnets import hint_loss
from deltadistill.objectives.reviewkd import hierarchical_distance
from deltadistill.objectives.setting import make_objective
from deltadistill.objectives.taps import Taps


def test_the_larger_map_is_averaged_to_the_size_of_the_smaller():
    large = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]])
    own, taught = at_one_size(torch.tensor([[[[2.0]]]]), large)
    assert (own.item(), taught.item()) == (2.0, 4.0)


def test_a_hint_by_hand():
    """(1 − 3)² and (2 − 2)² over two values."""
    assert float(hint_loss(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[3.0, 2.0]]]]))) == 2.0


def test_attention_by_hand():
    """Squares (9, 16) of one channel and (0, 2) of two: (9, 16)/√337 against (0, 1)."""
    own = torch.tensor([[[[3.0, 4.0]]]])
    taught = torch.tensor([[[[0.0, 2.0]], [[0.0, 0.0]]]])
    norm = 337**0.5
    wanted = ((9 / norm) ** 2 + (16 / norm - 1) ** 2) / 2
    assert float(attention_distance(own, taught)) == pytest.approx(wanted, rel=1e-5)


def test_coarser_and_coarser_means_by_hand():
    """2×2: squared distance 1 (weight 1), and their means differ by ½ (weight ⅛); 4×4 is no coarser."""
    own = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
    taught = torch.tensor([[[[0.0, 0.0], [0.0, 1.0]]]])
    assert float(hierarchical_distance(own, taught)) == pytest.approx((1 + 0.125 * 0.25) / 1.125)


def test_without_names_maps_are_the_last_of_each_size_in_the_teacher():
    _, _, setting = pair()
    assert last_at_each_size(setting) == ["first", "second", "third"]


def test_a_pair_sees_its_own_modules_and_the_teachers_by_their_names():
    student, teacher, setting = pair()
    objective = make_objective("fitnets", setting, {"modules": {"first": "second"}})
    assert objective.taps == Taps(own_modules=("first",), teacher_modules=("second",))
    (regressor,) = objective.regressors
    assert (regressor.in_channels, regressor.out_channels) == (4, 6)
    what = seen(objective, student, teacher)
    ((own, taught),) = objective.compared.of(what)
    assert own.requires_grad
    assert not taught.requires_grad
    frames = what.clip[:, 0]
    assert torch.equal(own, student.first(frames))
    assert torch.equal(taught, teacher.second(teacher.first(frames).relu()))


@pytest.mark.parametrize("name", ["fitnets", "attention_transfer", "simkd", "reviewkd"])
def test_a_student_and_what_is_beside_it_learn_and_the_teacher_stays(name):
    student, teacher, setting = pair()
    objective = make_objective(name, setting)
    what = seen(objective, student, teacher)
    loss = objective.loss(what, objective.batch_extent([what]))
    loss.backward()
    assert loss > 0
    assert student.first.weight.grad is not None
    assert student.head.weight.grad is None  # only maps are compared
    assert all(parameter.grad is not None for parameter in objective.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_parts_of_a_batch_add_up():
    student, teacher, setting = pair()
    objective = make_objective("fitnets", setting)
    what = seen(objective, student, teacher)
    part, whole = (objective.loss(what, torch.tensor(of)).item() for of in (4.0, 2.0))
    assert part == pytest.approx(whole / 2)


def test_what_does_not_pair_up_is_refused():
    _, _, setting = pair()
    with pytest.raises(ValueError, match="objective attention_transfer has no modules to look at"):
        make_objective("attention_transfer", setting, {"modules": []})
    with pytest.raises(ValueError, match=r"head makes \(1, 3\); expected a map"):
        make_objective("fitnets", setting, {"modules": ["head"]})
    with pytest.raises(ValueError, match="names the module 'nowhere', which Small does not have"):
        make_objective("fitnets", setting, {"modules": {"first": "nowhere"}})


def test_a_reused_classifier_needs_the_teachers_channels():
    student, _, setting = pair()
    student.third = nn.Conv2d(6, 5, 3, 1, 1)
    student.head = nn.Linear(5, 3)
    with pytest.raises(ValueError, match="third has 5 channels in the student and 8 in the teacher"):
        make_objective("simkd", setting)
