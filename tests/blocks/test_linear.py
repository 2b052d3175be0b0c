"""Linear students: shapes, ranks, cost, and what their initialisation promises."""

import pytest
import torch
from torch import nn

from deltadistill.blocks.factorise import balance
from deltadistill.blocks.linear import LinearStudent, full_rank

CONVOLUTIONS = {
    "3x3": nn.Conv2d(6, 8, 3, padding=1),
    "strided": nn.Conv2d(6, 8, 3, stride=2, padding=1),
    "asymmetric": nn.Conv2d(6, 8, (3, 5), stride=(2, 1), padding=(1, 2)),
    "dilated": nn.Conv2d(6, 8, 3, padding=2, dilation=2),
    "dilated down": nn.Conv2d(6, 8, (2, 3), stride=(1, 2), padding=(3, 1), dilation=(3, 1)),
    "dilated across": nn.Conv2d(6, 8, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 4)),
    "asymmetric in groups": nn.Conv2d(6, 9, (5, 2), stride=(3, 2), padding=(2, 3), dilation=(1, 3), groups=3),
    "grouped": nn.Conv2d(6, 8, 3, padding=1, groups=2),
    "depthwise": nn.Conv2d(6, 6, 3, padding=1, groups=6),
    "pointwise": nn.Conv2d(6, 8, 1),
    "strided pointwise": nn.Conv2d(6, 8, 1, stride=2),
    "padded strided pointwise": nn.Conv2d(6, 8, 1, stride=(2, 3), padding=(1, 2)),
    "reflected": nn.Conv2d(6, 8, 3, padding=1, padding_mode="reflect"),
    "circular": nn.Conv2d(6, 8, 3, padding=1, padding_mode="circular"),
    "same": nn.Conv2d(6, 8, 3, padding="same"),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_student_of_full_rank_equals_its_teacher_but_for_the_bias(kind):
    teacher = CONVOLUTIONS[kind]
    student = LinearStudent(gamma=1, rank="out", multiple=full_rank(teacher)).build(teacher)
    x = torch.randn(2, 6, 9, 11)
    expected = teacher(x) - teacher.bias.view(1, -1, 1, 1)
    torch.testing.assert_close(student(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_student_has_no_bias_and_the_shape_of_its_teacher(kind):
    teacher = CONVOLUTIONS[kind]
    student = LinearStudent(gamma=2).build(teacher)
    assert all(convolution.bias is None for convolution in student)
    x = torch.randn(1, 6, 12, 10)
    assert student(x).shape == teacher(x).shape
    assert not student(torch.zeros_like(x)).any()


def test_the_first_factor_runs_down_and_the_second_across():
    vertical, horizontal = LinearStudent(gamma=4).build(nn.Conv2d(16, 32, 3, stride=2, padding=1))
    assert (vertical.in_channels, vertical.out_channels) == (16, 8)
    assert (vertical.kernel_size, vertical.stride, vertical.padding) == ((3, 1), (2, 1), (1, 0))
    assert (horizontal.in_channels, horizontal.out_channels) == (8, 32)
    assert (horizontal.kernel_size, horizontal.stride, horizontal.padding) == ((1, 3), (1, 2), (0, 1))


def test_a_pointwise_student_takes_both_strides_in_its_first_convolution():
    vertical, horizontal = LinearStudent(gamma=4).build(nn.Conv2d(16, 32, 1, stride=2))
    assert (vertical.stride, horizontal.stride) == ((2, 2), (1, 1))
    split = LinearStudent(gamma=4, pointwise_stride="split").build(nn.Conv2d(16, 32, 1, stride=2))
    assert (split[0].stride, split[1].stride) == ((2, 1), (1, 2))


def test_a_padded_pointwise_student_pads_where_it_strides():
    teacher, x = nn.Conv2d(6, 12, 1, stride=2, padding=1, bias=False), torch.randn(1, 6, 8, 9)
    for pointwise_stride in ("first", "split"):
        student = LinearStudent(gamma=1, pointwise_stride=pointwise_stride).build(teacher)
        torch.testing.assert_close(student(x), teacher(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "inputs", "outputs", "rank"),
    [
        ({"gamma": 4, "rank": "out"}, 16, 32, 8),  # 32 // 4
        ({"gamma": 4, "rank": "min"}, 16, 32, 4),  # min(16, 32) // 4
        ({"gamma": 16, "rank": "min"}, 8, 32, 8),  # 8 // 16 = 0: not reduced
        ({"gamma": 4, "rank": "out", "multiple": 16}, 64, 96, 32),  # 24 rounded up
        ({"gamma": 1, "rank": "out"}, 2, 32, 6),  # no more than 2·3 is of use to a 3×3 kernel
    ],
)
def test_the_rank_follows_the_policy(settings, inputs, outputs, rank):
    teacher = nn.Conv2d(inputs, outputs, 3)
    assert LinearStudent(**settings).intermediate_channels(teacher) == rank


def test_the_rank_of_a_grouped_student_is_a_multiple_of_the_groups():
    assert LinearStudent(gamma=5).intermediate_channels(nn.Conv2d(12, 24, 3, groups=3)) == 6


@pytest.mark.parametrize(
    ("groups", "multiple", "rank"),
    [
        (4, 6, 12),  # 48 // 8 = 6; neither 6 nor 8 serves both
        (6, 4, 12),
        (4, 8, 8),
        (12, 5, 60),
    ],
)
def test_the_rank_is_a_common_multiple_of_the_groups_and_of_what_runtimes_like(groups, multiple, rank):
    teacher = nn.Conv2d(48, 48, (7, 5), groups=groups)
    student = LinearStudent(gamma=8, multiple=multiple)
    assert student.intermediate_channels(teacher) == rank
    assert [layer.groups for layer in student.build(teacher)] == [groups, groups]


def test_svd_keeps_the_largest_singular_value_of_a_hand_made_kernel():
    teacher = nn.Conv2d(1, 2, (2, 1), bias=False)
    # as a matrix of (in·k_h) × (out·k_w) this is diag(3, 2): the first output sees the upper row alone
    teacher.weight.data = torch.tensor([[[[3.0], [0.0]]], [[[0.0], [2.0]]]])
    vertical, horizontal = LinearStudent(gamma=2).build(teacher)  # rank 1 keeps the 3
    product = horizontal.weight.flatten(1) @ vertical.weight.flatten(1)  # outputs × k_h
    assert vertical.out_channels == 1
    torch.testing.assert_close(product, torch.tensor([[3.0, 0.0], [0.0, 0.0]]), atol=1e-6, rtol=0)


def test_svd_is_a_better_start_than_random():
    torch.manual_seed(0)
    teacher, x = nn.Conv2d(16, 16, 3, padding=1, bias=False), torch.randn(1, 16, 20, 20)
    errors = {
        start: (LinearStudent(gamma=2, initialisation=start).build(teacher)(x) - teacher(x)).square().mean()
        for start in ("svd", "random")
    }
    assert errors["svd"] < 0.5 * errors["random"]


def test_a_dearer_student_is_refused_with_its_cost():
    teacher = nn.Conv2d(16, 64, 1)  # 1024 MACs a pixel; rank 16: 16·16 + 16·64 = 1280
    assert LinearStudent(gamma=4).reason_against(teacher) == (
        "student dearer than its teacher (1.25 times the MACs)"
    )
    assert LinearStudent(gamma=4, keep_dearer=True).reason_against(teacher) is None


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("gamma", [1, 2])
def test_a_students_cost_is_what_its_weights_multiply_at_each_output(kind, gamma):
    teacher, students = CONVOLUTIONS[kind], LinearStudent(gamma=gamma, rank="out")
    first, second = LinearStudent(gamma=gamma, rank="out", initialisation="random").build(teacher)
    # the first factor runs at full width, unless a pointwise one strides at once
    width = 1 if first.stride[1] == teacher.stride[1] else teacher.stride[1]
    ratio = (first.weight.numel() * width + second.weight.numel()) / teacher.weight.numel()
    reason = students.reason_against(teacher)
    dearer = f"student dearer than its teacher ({ratio:.2f} times the MACs)"
    assert reason == (dearer if ratio >= 1 else None)


@pytest.mark.parametrize(
    ("gamma", "reason"), [(2, "student dearer than its teacher (1.33 times the MACs)"), (4, None)]
)
def test_a_linear_layers_student_costs_its_two_products(gamma, reason):
    # 24·40 MACs of the teacher; rank 40 / 2 or 40 / 4: 20 or 10 times 24 + 40
    students = LinearStudent(gamma=gamma, rank="out", multiple=1)
    assert students.reason_against(nn.Linear(24, 40)) == reason


def test_only_convolutions_and_linear_layers_get_linear_students():
    assert "neither Conv2d nor Linear" in LinearStudent().reason_against(nn.BatchNorm2d(4))


@pytest.mark.parametrize(
    "settings", [{"gamma": 0}, {"multiple": 0}, {"rank": "in"}, {"initialisation": "zeros"}]
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        LinearStudent(**settings)


@pytest.mark.parametrize(
    "teacher",
    [nn.Conv2d(4, 6, 3), nn.Conv2d(4, 8, 3, groups=2), nn.Linear(5, 7)],
    ids=["conv", "groups", "linear"],
)
def test_balanced_factors_have_equal_norms_and_the_same_product(teacher):
    student = LinearStudent(gamma=2, initialisation="random", keep_dearer=True).build(teacher).double()
    student[0].weight.data *= 1e-6
    x = (
        torch.randn(2, 5, dtype=torch.float64)
        if isinstance(teacher, nn.Linear)
        else torch.randn(2, 4, 8, 8).double()
    )
    before = student(x)
    balance(student)
    torch.testing.assert_close(student(x), before)
    groups = getattr(teacher, "groups", 1)
    into = student[0].weight.flatten(1).norm(dim=1)
    out_of = student[1].weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(2).norm(dim=2).flatten()
    torch.testing.assert_close(into, out_of)
