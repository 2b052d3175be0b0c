"""A converted block answers for its teacher where modules read attributes of their children."""

import copy
import pickle

import pytest
import torch
from torch import nn

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.seat import Seat


class Tagged(nn.Conv2d):
    """A convolution with attributes of its own, a copying method among them."""

    tag = "inner"

    def twice(self):
        return 2 * self.out_channels


def block_of(convolution):
    block = DeltaBlock(nn.Conv2d(4, 8, 3), LinearStudent(gamma=2), Seat())
    block.teacher = convolution
    return block


@pytest.fixture
def block():
    return block_of(Tagged(4, 8, 3))


@pytest.mark.parametrize("duplicate", [lambda b: b, copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b))])
def test_attributes_of_the_teacher_are_the_blocks_too(block, duplicate):
    twin = duplicate(block)
    assert twin.weight is twin.teacher.weight
    assert (twin.in_channels, twin.out_channels, twin.kernel_size) == (4, 8, (3, 3))
    assert (twin.tag, twin.twice(), twin.weight.dtype) == ("inner", 16, torch.float32)


def test_a_copy_answers_for_its_own_teacher(block):
    twin = copy.deepcopy(block)
    assert type(twin) is DeltaBlock
    assert twin.weight is not block.weight


def test_the_blocks_own_attributes_come_first(block):
    assert block.name == ""
    assert block.gate is block._modules["gate"]
    assert [name for name, _ in block.named_parameters() if name == "weight"] == []


def test_an_attribute_that_neither_has_is_an_error(block):
    with pytest.raises(AttributeError, match="windows"):
        _ = block.windows
    assert not hasattr(block, "__len__")


def test_a_failing_property_of_the_block_does_not_ask_the_teacher(block):
    block.gate = None
    with pytest.raises(AttributeError, match=r"DeltaBlock.*choice"):
        _ = block.choice
