"""The forms of blocks: the merged kernel W − B∘A, by hand and on convolutions of every kind."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.forms import Again, ByRule, MergedSum, Sum, form_of, merged_layer


def block_of(layer: nn.Module, design=None, **settings):
    design = design or dd.LinearStudent(gamma=2, keep_dearer=True)
    network = dd.convert(nn.Sequential(layer).double().eval(), design, where=dd.all_layers, **settings)
    (block,) = delta_blocks(network).values()
    block.decide("compressed")
    torch.manual_seed(0)
    for parameter in block.student_parameters():
        nn.init.normal_(parameter)
    return block


def test_the_merged_kernel_by_hand():
    teacher = nn.Conv2d(1, 1, (2, 2), bias=True)
    student = nn.Sequential(nn.Conv2d(1, 1, (2, 1), bias=False), nn.Conv2d(1, 1, (1, 2), bias=False))
    with torch.no_grad():
        teacher.weight.copy_(torch.tensor([[[[10.0, 20.0], [30.0, 40.0]]]]))
        teacher.bias.fill_(7.0)
        student[0].weight.copy_(torch.tensor([[[[1.0], [2.0]]]]))
        student[1].weight.copy_(torch.tensor([[[[3.0, 4.0]]]]))
    merged = merged_layer(teacher, student)
    # B∘A is the product of column (1, 2) and row (3, 4)
    assert merged.weight.flatten().tolist() == [10 - 3, 20 - 4, 30 - 6, 40 - 8]
    assert merged.bias.item() == 7.0


LAYERS = {
    "plain": nn.Conv2d(4, 6, 3),
    "asymmetric": nn.Conv2d(4, 6, (3, 5), stride=(1, 2), padding=(2, 1), dilation=(2, 1)),
    "strided": nn.Conv2d(4, 6, (5, 3), stride=(3, 2), padding=(0, 2), bias=False),
    "pointwise": nn.Conv2d(4, 6, 1, stride=2),
    "same": nn.Conv2d(4, 6, (3, 5), padding="same"),
    "product": nn.Linear(4, 6),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_every_form_says_what_the_blocks_rule_says(layer):
    block = block_of(layer)
    form = form_of(block)
    assert isinstance(form, MergedSum)
    shape = (2, 7, 4) if isinstance(layer, nn.Linear) else (2, 4, 11, 13)
    key, later = torch.rand(2, *shape, dtype=torch.float64)
    z_0, state = block.key(key)
    expected, _ = block.delta(later, state)
    made, maps = form.key(key)
    torch.testing.assert_close(made, z_0)
    torch.testing.assert_close(form.delta(later, maps), expected)


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 4, 3, padding_mode="reflect")])
def test_where_no_kernel_can_be_merged_the_student_is_subtracted(layer):
    block = block_of(layer)
    form = form_of(block)
    assert isinstance(form, Sum)
    key, later = torch.rand(2, 2, 4, 9, 9, dtype=torch.float64)
    made, maps = form.key(key)
    torch.testing.assert_close(made, block.teacher(key))
    torch.testing.assert_close(form.delta(later, maps), block.delta(later, block.key(key)[1])[0])


def test_the_network_may_change_in_place_what_a_form_returns():
    form = form_of(block_of(nn.Conv2d(4, 6, 3)))
    key, later = torch.rand(2, 2, 4, 9, 9, dtype=torch.float64)
    z_0, maps = form.key(key)
    expected = form.delta(later, maps).clone()
    z_0.relu_().mul_(7)
    form.delta(later, maps).mul_(7)
    torch.testing.assert_close(form.delta(later, maps), expected, rtol=0, atol=0)


def test_a_trained_uncompressed_student_keeps_its_map_and_an_untrained_needs_none():
    block = block_of(nn.Conv2d(4, 6, 3))
    block.decide("uncompressed")
    assert isinstance(form_of(block), Sum)  # its kernel is not the teacher's any more
    with torch.no_grad():
        block.uncompressed.weight.copy_(block.teacher.weight)
    assert isinstance(form_of(block), Again)


def test_students_of_other_kinds_go_by_their_rule():
    assert isinstance(form_of(block_of(nn.Conv2d(8, 8, 3, padding=1), dd.ChannelStudent(gamma=2))), ByRule)
    assert isinstance(form_of(block_of(nn.Conv2d(4, 6, 3), predicts="feature")), ByRule)
