"""Students whose maps become small earlier: strides by hand, published factors of memory, what is refused."""

import pytest
import torch
import torchvision
from torch import nn

from deltadistill.account.memory import count_memory
from deltadistill.models.pool_earlier import SCHEDULES, SamplingPlace, pool_earlier, sampling_places

MIB = 2**20


def network():
    """Places: stem (2), pooling (2), and a block with its shortcut (2)."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.long, self.short = nn.Conv2d(4, 8, 3, 2, 1), nn.Conv2d(4, 8, 1, 2)

        def forward(self, x):
            return self.long(x) + self.short(x)

    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, 1, 1), Block())


SIZE = (3, 32, 32)


def test_places_are_what_samples_down_in_the_order_of_running():
    assert sampling_places(network(), SIZE) == [
        SamplingPlace(2, ["0"]),
        SamplingPlace(2, ["1"]),
        SamplingPlace(2, ["3.long", "3.short"]),
    ]


@pytest.mark.parametrize(
    ("options", "strides", "last"),
    [
        ({"factor": 2}, (4, 2, 1, 1), 4),
        ({"factor": 4}, (8, 1, 1, 1), 4),
        ({"schedule": [4, 1, 2]}, (4, 1, 2, 2), 4),
        ({"schedule": (2, 2, 1)}, (2, 2, 1, 1), 8),
    ],
)
def test_the_stem_strides_further_and_the_last_places_less(options, strides, last):
    teacher = network()
    student = pool_earlier(teacher, size=SIZE, **options)
    layers = student[0], student[1], student[3].long, student[3].short
    assert tuple(nn.modules.utils._pair(layer.stride)[0] for layer in layers) == strides
    assert student(torch.rand(1, *SIZE)).shape[2:] == (last, last)
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, student.state_dict()[name])
    assert teacher[0].stride == (2, 2)


def test_a_pooling_that_would_take_rows_off_is_left_out():
    student = pool_earlier(network(), schedule=[4, 1, 2], size=SIZE)
    x = torch.rand(1, 4, 8, 8)
    assert torch.equal(student[1](x), x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give a factor or a schedule, not both: got None and None"),
        ({"factor": 2, "schedule": [1, 1, 1]}, "not both: got 2"),
        ({"factor": 3}, r"factor 3 cannot be taken from the strides \[2, 2\]"),
        ({"factor": 8}, "factor 8 cannot be taken"),
        ({"factor": 1}, "factor 1 cannot be taken"),
        ({"schedule": [4, 2]}, r"a stride .* each of 0 \(2\), 1 \(2\), 3\.long \(2\); got \[4, 2\]"),
        ({"schedule": [4, 2, 0]}, "a stride of at least 1"),
        ({"schedule": "resnet18"}, "schedule 'resnet18' is unknown; allowed: mobilenetv2-1-1222121"),
        ({"schedule": [32, 2, 2]}, r"with strides {'0': 32, '1': 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_anything_runs(options, message):
    with pytest.raises(ValueError, match=message):
        pool_earlier(network(), size=SIZE, **options)


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(ValueError, match="Sequential has no convolution"):
        pool_earlier(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), 2, size=(3, 2, 2))


# Peaks in MiB of teacher and student, read off the figure of memory over layers of ReDistill's code
# (imgs/peak_mem_footprint.py): STL-10 at 128², ImageNet at 224². ResNeXt-18 has ResNet-18's maps.
PUBLISHED = [
    ("mobilenet_v2", "mobilenetv2-1-1222121", "mobilenetv2-4-1221111", 128, 7.5, 0.5078125),
    ("mobilenet_v3_small", "mobilenetv3_small-1-22121111211", "mobilenetv3_small-4-22111111111",
     128, 1.40625, 0.306884765625),
    ("resnet18", "resnext18-1-21222", "resnext18-4-11221", 128, 5.0, 0.75),
    ("resnet18", None, "resnet18-8-11221", 224, 3.828125, 0.765625),
    ("resnet50", None, "resnet50-8-11221", 224, 9.1875, 2.296875),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "of_teacher", "of_student", "side", "teacher_peak", "student_peak"), PUBLISHED
)
def test_the_published_peaks_of_teachers_and_students_come_out(
    name, of_teacher, of_student, side, teacher_peak, student_peak
):
    with torch.device("meta"):
        plain = torchvision.models.get_model(name, weights=None)
    size = (3, side, side)
    teacher = plain if of_teacher is None else pool_earlier(plain, schedule=of_teacher, size=size)
    student = pool_earlier(plain, schedule=of_student, size=size)
    assert count_memory(teacher, size).published_peak / MIB == teacher_peak
    assert count_memory(student, size).published_peak / MIB == student_peak


def test_students_schedules_keep_the_size_of_the_last_map():
    """Of a teacher and its students: those of the same network in the same experiment."""
    for family, sampled in (("mobilenetv2", 16), ("mobilenetv3", 16), ("resnext18", 16), ("resnet", 32)):
        schedules = [strides for name, strides in SCHEDULES.items() if name.startswith(family)]
        assert {torch.tensor(strides).prod().item() for strides in schedules} == {sampled}
