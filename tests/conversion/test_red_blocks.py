"""RED blocks: worked by hand, put where the maps have one size, and kept in the student that is used."""

import pytest
import torch
import torchvision
from torch import nn

from deltadistill.conversion.red_blocks import Attachment, attach_red_blocks, found_attachments, red_place
from deltadistill.exporting.functions import delta_functions
from deltadistill.models.red_block import REDBlock


def test_a_block_by_hand():
    """One channel; gate logit 2x, encoder −x: with x = 3 and −1."""
    block = REDBlock(1).eval()
    for layer in (block.gate[0], block.encoder[0]):
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
    with torch.no_grad():
        block.gate[0].weight[0, 0, 0, 0] = 2.0
        block.encoder[0].weight[0, 0, 1, 1] = -1.0
        for norm in (block.gate[1], block.encoder[1]):
            norm.eps = 0.0
    found = block(torch.tensor([[[[3.0, -1.0]]]]))
    gates = torch.tensor([6.0, -2.0]).sigmoid().tolist()
    assert found.flatten().tolist() == pytest.approx([3 * gates[0] + 0, -1 * gates[1] + 1])


def strided(*strides):
    """Convolutions of 4, 8 and 16 channels and these strides."""
    sizes, layers = (3, 4, 8, 16), []
    for number, stride in enumerate(strides):
        layers += [nn.Conv2d(sizes[number], sizes[number + 1], 3, stride=stride, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


FRAMES = torch.rand(2, 3, 32, 32)


def test_they_are_found_where_student_and_teacher_have_maps_of_one_size():
    teacher, student = strided(2, 2, 2), strided(4, 2, 1)
    assert found_attachments(student, teacher, FRAMES) == [Attachment("0", "2"), Attachment("2", "4")]


def test_the_published_places_of_resnet_18_come_out():
    """Those of the teacher's stages 2, 3 and 4; its configuration names the block, not the block's layer."""
    teacher = torchvision.models.resnet18(weights=None)
    student = torchvision.models.resnet18(weights=None)
    student.conv1.stride, student.maxpool.stride = (8, 8), 1
    student.layer4[0].conv1.stride = student.layer4[0].downsample[0].stride = (1, 1)
    found = found_attachments(student, teacher, torch.zeros(1, 3, 64, 64))
    assert found == [
        Attachment("conv1", "layer2.0.conv1"),
        Attachment("layer2.0.conv1", "layer3.0.conv1"),
        Attachment("layer3.0.conv1", "layer4.0.conv1"),
    ]


def test_where_no_maps_have_one_size_it_is_said():
    with pytest.raises(ValueError, match=r"no layer of Sequential that samples down .* name the attachments"):
        found_attachments(strided(3, 1, 1), strided(2, 2, 2), FRAMES)


def test_they_are_put_at_both_sides_and_stay_in_the_student():
    student = strided(4, 2, 1)
    with torch.no_grad():
        before = student(FRAMES)
    attachments = [Attachment("0", "2"), Attachment("2", "4", "input"), Attachment("2", "4")]
    changed = attach_red_blocks(student, attachments, FRAMES)
    assert changed is student
    blocks = {name: module for name, module in student.named_modules() if isinstance(module, REDBlock)}
    assert [red_place(each) for each in attachments] == [(name, "output") for name in blocks]
    assert [block.gate[0].in_channels for block in blocks.values()] == [4, 4, 8]
    assert student(FRAMES).shape == before.shape
    student.eval()
    folded = delta_functions(student, FRAMES[:1]).folded
    assert len(folded) == 6  # each block's two batch norms go into the convolutions before them


@pytest.mark.parametrize(
    ("attachments", "message"),
    [
        (
            [Attachment("neck", "2")],
            r"a RED block names the module 'neck', which Sequential does not have; its children are 0, 1",
        ),
        ([Attachment("0", "2"), Attachment("0", "4")], "two RED blocks at one side"),
    ],
)
def test_what_cannot_be_attached_is_refused(attachments, message):
    with pytest.raises(ValueError, match=message):
        attach_red_blocks(strided(4, 2, 1), attachments, FRAMES)


def test_what_is_no_map_is_refused():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))
    with pytest.raises(ValueError, match=r"the output of 1 is shape \(2, 4\); a RED block needs a map"):
        attach_red_blocks(network, [Attachment("1", "1")], FRAMES)
