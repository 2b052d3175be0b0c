"""Residual encoded distillation: the loss by hand, a student that learns by it, and the objective."""

import pytest
import torch
from torch import nn
from training.toy_trainings import small_network

import deltadistill as dd
from deltadistill.conversion.red_blocks import Attachment, attach_red_blocks
from deltadistill.distillation.weighted import further_terms
from deltadistill.objectives.residual_encoded import red_distillation, unlikeness
from deltadistill.objectives.setting import Setting


def test_the_loss_by_hand():
    """Two channels with mean (3, 4), and one of (4, 3): cos = 24 / 25; the second frame is alike."""
    maps = torch.tensor([[[[2.0, 8.0]], [[4.0, 0.0]]], [[[1.0, 1.0]], [[1.0, 3.0]]]])
    taught = torch.tensor([[[[4.0, 3.0]]], [[[5.0, 10.0]]]])
    assert float(unlikeness(maps, taught)) == pytest.approx((1 / 25 + 0) / 2, abs=1e-6)


def test_maps_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"maps of \(4, 4\) and \(2, 4\) cannot be compared by place"):
        unlikeness(torch.rand(1, 2, 4, 4), torch.rand(1, 2, 2, 4))


def test_a_students_loss_is_the_mean_over_its_attachments_and_reaches_its_blocks_alone():
    torch.manual_seed(0)
    frames = torch.rand(2, 3, 16, 16)
    teacher = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 8, 3, 2, 1)).eval()
    student = nn.Sequential(nn.Conv2d(3, 4, 3, 4, 1), nn.Conv2d(4, 8, 3, 1, 1))
    attachments = [Attachment("0", "1"), Attachment("1", "1")]
    attach_red_blocks(student, attachments, frames)
    output, expected, loss = red_distillation(student, teacher, frames, attachments)
    first = student[0](frames)
    wanted = (unlikeness(first, expected) + unlikeness(output, expected)) / 2
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    loss.backward()
    assert all(parameter.grad is not None for parameter in student[0].after.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_it_learns_beside_the_deltas():
    network = dd.convert(small_network(), dd.LinearStudent(gamma=2))
    chosen = {"residual_encoded": {"weight": 0.1, "options": {"modules": ["2"], "alpha": 1.0}}}
    torch.manual_seed(0)
    assert (
        len(dd.distill(network, torch.rand(2, 2, 3, 8, 8), steps=2, objectives=chosen, progress=False)) == 2
    )


def test_without_names_it_looks_at_the_last_block_of_each_size():
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, padding=1)]
    network = dd.convert(nn.Sequential(*layers, nn.Conv2d(8, 8, 3, 2, 1), nn.Conv2d(8, 4, 1)).eval(),
                         dd.LinearStudent(gamma=2), dd.all_layers)  # fmt: skip
    (term,) = further_terms(
        {"residual_encoded": {}}, Setting(network, torch.zeros(1, 3, 16, 16), (16, 16))
    ).values()
    assert term.objective.compared.modules == ("0", "2", "4")
    assert term.objective.alpha == 50
    assert list(term.objective.modules()) == [term.objective]  # it learns nothing of its own


def test_a_module_without_a_map_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8 * 16, 4))
    delta = dd.convert(
        network.eval(), dd.LinearStudent(gamma=2), dd.matching(lambda name, module: name == "1")
    )
    where = Setting(delta, torch.zeros(1, 3, 8, 8), (8, 8))
    with pytest.raises(ValueError, match=r"2 makes \(1, 128\); expected a map"):
        further_terms({"residual_encoded": {"options": {"modules": ["2"]}}}, where)
