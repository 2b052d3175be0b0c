"""The U-Net of DDPM: published size, peaks of students by the account, maps that follow their strides."""

import pytest
import torch
from torch import nn

from deltadistill import models
from deltadistill.account.macs import count_macs
from deltadistill.account.memory import count_memory
from deltadistill.conversion.red_blocks import attach_red_blocks, found_attachments
from deltadistill.models.ddpm_blocks import SelfAttention, sinusoids
from deltadistill.models.ddpm_unet import DDPMUNet
from deltadistill.models.pool_earlier import pool_earlier, sampling_places

MIB = 2**20


def published(size=32):
    with torch.device("meta"):
        return models.build("ddpm", classes=1), (3, size, size)


def small(**options):
    torch.manual_seed(0)
    return DDPMUNet(**{"width": 8, "multipliers": (1, 2, 2), "blocks": 1, "dropout": 0.0} | options).eval()


def awake(network):
    """The network with weights where it starts from zeros."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and not layer.weight.any():
            nn.init.normal_(layer.weight, std=0.1)
            nn.init.normal_(layer.bias, std=0.1)
    return network


def test_the_published_network_has_as_many_parameters_as_the_official_one():
    network, size = published()
    assert sum(values.numel() for values in network.parameters()) == 35_746_307
    assert count_macs(network, size).teacher == 6_221_856_768
    assert [place.stride for place in sampling_places(network, size)] == [1, 2, 2, 2]


# At 32×32 three maps of the way down are kept, of 128 channels (0.5 MiB each). Where the finest level begins
# on the way up, the last of them and 256 channels (1 MiB) are joined to 1.5 MiB, while two are held: the
# first convolution's output, what it reads, the joined map for the shortcut, and the two.
@pytest.mark.parametrize(("factor", "share"), [(None, 1), (2, 4)])
@pytest.mark.parametrize(("side", "peak"), [(32, 4.5), (64, 18.0)])
def test_a_student_that_strides_twice_as_far_has_a_quarter_of_the_peak(side, peak, factor, share):
    network, size = published(side)
    student = network if factor is None else pool_earlier(network, factor, size=size)
    table = count_memory(student, size)
    assert table.peak == peak / share * MIB
    assert table.published_peak == peak * 4 / 3 / share * MIB


def test_a_student_that_strides_by_rows_first_has_half_of_the_peak():
    network, size = published()
    student = pool_earlier(network, schedule=[(2, 1), 2, 2, (1, 2)], size=size)
    assert count_memory(student, size).peak == 2.25 * MIB
    pictures = torch.rand(1, 3, 16, 16)
    made = pool_earlier(awake(small()), schedule=[(2, 1), 2, (1, 2)], size=(3, 16, 16))(pictures)
    assert made.shape == pictures.shape


def test_the_published_schedule_is_that_of_factor_2_and_factor_4_reaches_a_fifteenth():
    network, size = published()
    by_name = pool_earlier(network, schedule="ddpm-2221", size=size)
    assert [p.stride for p in sampling_places(by_name, size)] == [2, 2, 2]
    assert (
        count_memory(pool_earlier(network, 4, size=size), size).peak == 312 * 2**10
    )  # a sixteenth, 288 KiB, is less than attention needs


def test_a_student_answers_for_every_place_and_begins_as_its_teacher_where_it_can():
    teacher = awake(small())
    student = pool_earlier(teacher, 2, size=(3, 16, 16))
    pictures, steps = torch.rand(2, 3, 16, 16), torch.tensor([3, 900])
    assert student(pictures, steps).shape == pictures.shape
    assert student.tail[2].weight.shape[0] == 12
    for number in range(12):  # colours first, then the four places that a map's place stands for
        assert torch.equal(student.tail[2].weight[number], teacher.tail[2].weight[number // 4])
    assert teacher.tail[2].weight.shape[0] == 3


def test_what_is_made_of_a_place_goes_to_the_rows_and_columns_that_it_stands_for():
    student = pool_earlier(small(), 2, size=(3, 16, 16))
    nn.init.zeros_(student.tail[2].weight)
    with torch.no_grad():
        student.tail[2].bias.copy_(torch.arange(12.0))
    made = student(torch.rand(1, 3, 16, 16))
    assert made[0, :, :2, :2].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [10, 11]]]
    assert torch.equal(made[..., 2:4, 2:4], made[..., :2, :2])


def test_a_picture_that_the_strides_do_not_divide_keeps_its_size():
    student = pool_earlier(awake(small()), 2, size=(3, 16, 16))
    assert student(torch.rand(1, 3, 15, 13)).shape == (1, 3, 15, 13)


def test_red_blocks_stand_where_maps_have_a_size_of_the_teachers():
    teacher = small()
    student = pool_earlier(teacher, 2, size=(3, 16, 16))
    frames = torch.rand(1, 3, 16, 16)
    found = found_attachments(student, teacher, frames)
    assert [(each.module, each.taught_by) for each in found] == [
        ("head", "down.0.sample"),
        ("down.0.sample", "down.1.sample"),
    ]
    attach_red_blocks(student, found, frames)
    assert student(frames).shape == frames.shape


def test_the_step_changes_the_answer_and_none_is_the_first():
    network = awake(small())
    pictures = torch.rand(1, 3, 8, 8)
    first, later = network(pictures, torch.tensor([0])), network(pictures, torch.tensor([700]))
    assert torch.equal(network(pictures), first)
    assert not torch.allclose(first, later, atol=1e-3)


def test_a_step_is_told_by_sines_and_cosines_of_falling_frequency():
    (found,) = sinusoids(torch.tensor([2]), 4)
    expected = torch.tensor([2.0, 2e-4, 2.0, 2e-4])
    assert torch.allclose(found, torch.cat([expected[:2].sin(), expected[2:].cos()]))


def test_a_place_attends_to_the_places_that_are_like_it():
    attention = SelfAttention(4)
    attention.norm = nn.Identity()
    for layer in (attention.query, attention.key, attention.value, attention.out):
        nn.init.dirac_(layer.weight)
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]).view(1, 4, 1, 2)
    near = 1 / (1 + torch.tensor(-0.5).exp())  # softmax of 1/√4 and 0
    expected = features[0, :2, 0] + torch.tensor([[near, 1 - near], [1 - near, near]])
    assert torch.allclose(attention(features)[0, :2, 0], expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attention": (3,)}, r"attention names levels \[3\]; there are levels 0 to 2"),
        ({"width": 6}, "give a width divisible by 4"),
        ({"multipliers": ()}, "at least one level"),
        ({"blocks": 0}, "0 blocks a level"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        small(**options)
