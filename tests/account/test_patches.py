"""Early layers patch by patch: a chain worked by hand, and execution that gives the same for that work."""

import pytest
import torch
import torch.nn.functional as F
from account.functional import Functional
from account.patch_executor import in_patches, recorded
from torch import nn

from deltadistill.account.lower_peaks import lower_peaks
from deltadistill.account.macs import count_macs
from deltadistill.account.memory import count_memory
from deltadistill.account.patch_regions import early_parts
from deltadistill.account.patches import best_plan, patch_plans
from deltadistill.account.windows import Span

FLOAT = 4  # bytes


def conv(inputs, outputs, stride=1, **options):
    return nn.Conv2d(inputs, outputs, 3, stride, 1, **{"bias": False, **options})


def chain():
    return nn.Sequential(conv(3, 4), conv(4, 8, 2), conv(8, 8))


def by_layers(plans):
    return {(plan.layers, plan.sides): plan for plan in plans}


def test_what_a_place_reads_is_its_window():
    """Places 2 and 3 at stride 2, kernel 3, padding 1: from 2·2 − 1 = 3 up to 3·2 − 1 + 2 = 7."""
    assert Span(3, 2, 1).reaches((2, 4)) == (3, 8)
    assert Span(3, 2, 1).reaches((0, 2)) == (-1, 4)
    assert Span(3, 2, 1).read_for((0, 2), 8) == (0, 4)
    assert Span(3, 1, 2, dilation=2).reaches((5, 6)) == (3, 8)


def test_the_peak_and_the_repeated_work_of_a_chain_are_those_worked_by_hand():
    """A frame of 3×8×8 = 192 values; maps of 4×8×8 = 256, 8×4×4 = 128 and 128 values.

    As it is the first layer sets the peak, 192 + 256 = 448. With two layers in 2×2 patches a patch of 2×2
    needs rows 0 to 4, or 3 to 8, of the first map: at most 5×5×4 = 100 values, beside frame and second map
    192 + 100 + 128 = 420. The first layer computes (4 + 5)² = 81 places of 64, at 3·4·9 = 108 MACs each.
    """
    plans = by_layers(patch_plans(chain(), (3, 8, 8), sides=[2]))
    two = plans[2, 2]
    assert count_memory(chain(), (3, 8, 8)).peak == 448 * FLOAT
    assert (two.peak, two.until) == (420 * FLOAT, "1")
    assert two.peak_beside_inputs == (128 + 128) * FLOAT  # the third layer's; the patches take 228
    assert two.repeated == (81 - 64) * 108
    assert two.macs == count_macs(chain(), (3, 8, 8)).teacher + 17 * 108


def test_one_layer_alone_repeats_nothing_and_saves_nothing():
    one = by_layers(patch_plans(chain(), (3, 8, 8), sides=[2]))[1, 2]
    assert (one.peak, one.repeated) == (448 * FLOAT, 0)


def test_all_layers_in_patches_hold_the_output_whole():
    """Rows of 2 need 3 of the second map and of the first 5 or 6: 0–3 ← −1–6 → 6; 1–4 ← 1–8 → 7."""
    three = by_layers(patch_plans(chain(), (3, 8, 8), sides=[2]))[3, 2]
    first, second = 4 * 7 * 7, 8 * 3 * 3
    assert three.peak == (192 + first + second + 0 + 128) * FLOAT
    assert three.repeated == ((6 + 7) ** 2 - 64) * 108 + (36 - 16) * 4 * 8 * 9


def test_the_best_plan_costs_least_within_the_budget_or_has_the_lowest_peak():
    plans = patch_plans(chain(), (3, 8, 8), sides=[2, 4])
    lowest = best_plan(plans)
    assert lowest.peak == min(plan.peak for plan in plans)
    cheapest = best_plan(plans, most_bytes=430 * FLOAT)
    assert (cheapest.layers, cheapest.sides) == (2, 2)
    assert best_plan(plans, most_bytes=lowest.peak - 1) is None
    assert best_plan([]) is None


def test_more_patches_than_the_map_has_places_are_left_out():
    assert {plan.sides for plan in patch_plans(chain(), (3, 8, 8), sides=[1, 4, 5]) if plan.layers > 1} == {4}


def residual():
    """A stem, a block with a layer in its shortcut, one with an identity, a concatenation of two layers."""

    def forward(x, stem, norm, one, two, short, three, four, wide, narrow):
        x = F.relu(norm(stem(x)), inplace=True)
        x = F.max_pool2d(x, 3, 2, 1)
        y = two(one(x).relu_())
        y += short(x)
        z = four(F.hardswish(three(y.relu_()))) + y
        z = torch.cat([wide(F.pad(z, (1, 2, 2, 1))), F.avg_pool2d(narrow(z), 2)], 1)
        return z * 2 - 1

    return Functional(
        forward, stem=conv(3, 6, 2), norm=nn.BatchNorm2d(6), one=conv(6, 8, 2, bias=True), two=conv(8, 8),
        short=nn.Conv2d(6, 8, 1, 2), three=nn.Conv2d(8, 16, 3, padding=2, dilation=2),
        four=nn.Conv2d(16, 8, 1), wide=nn.Conv2d(8, 4, (4, 5), 2), narrow=conv(8, 3, groups=1),
    ).eval()  # fmt: skip


@pytest.mark.parametrize(("network", "size"), [(chain, (3, 9, 14)), (residual, (3, 45, 64))])
def test_execution_in_patches_gives_the_same_map_for_the_work_that_the_account_says(network, size):
    torch.manual_seed(0)
    network, frame = network(), torch.rand(1, *size)
    watch, output = recorded(network, frame)
    plans = {(plan.until, plan.layers, plan.sides): plan for plan in patch_plans(network, size, sides=[2, 3])}
    earlies = list(early_parts(watch.flow))
    assert earlies[-1].until == len(watch.flow.steps) - 1  # the whole network is local
    for sides in (2, 3):
        early = earlies[-1]
        done = in_patches(watch, early, frame, sides)
        torch.testing.assert_close(done.output, output)
        plan = plans["", early.layers, sides] if ("", early.layers, sides) in plans else plans["2", 3, sides]
        assert done.macs == plan.macs > count_macs(network, size).teacher


def test_every_beginning_of_a_network_with_branches_is_executed_alike():
    torch.manual_seed(0)
    network, frame = residual(), torch.rand(1, 3, 41, 64)
    watch, output = recorded(network, frame)
    once = count_macs(network, (3, 41, 64)).teacher
    plans = patch_plans(network, (3, 41, 64), sides=[3])
    earlies = list(early_parts(watch.flow))
    assert len(earlies) == len(plans) > 4
    for early, plan in zip(earlies, plans, strict=True):
        done = in_patches(watch, early, frame, 3)
        behind = sum(step.macs for step in watch.flow.steps[early.until + 1 :])
        assert done.macs + behind == plan.macs == once + plan.repeated
        assert not done.output.isnan().any()
    torch.testing.assert_close(done.output, output)


def test_the_map_behind_a_block_is_made_in_its_place_where_the_branch_needs_no_more():
    """x + two(one(x)) of 4 channels in 2×2 patches of 4×4 of a frame of 4×8×8.

    Beside the frame, 256, and the output, 256, a patch holds one's output, (4 + 1)² · 4 = 100: two's output
    lies where the sum will.
    """
    block = Functional(lambda x, one, two: two(one(x)) + x, one=conv(4, 4), two=conv(4, 4))
    plan = by_layers(patch_plans(block, (4, 8, 8), sides=[2]))[2, 2]
    assert plan.peak == (256 + 256 + 100) * FLOAT


def test_patches_end_before_a_layer_that_sees_all_places():
    gated = Functional(
        lambda x, one, two, gate: two((y := one(x)) * gate(y.mean((2, 3), keepdim=True))),
        one=conv(3, 4), two=conv(4, 4), gate=nn.Conv2d(4, 4, 1),
    )  # fmt: skip
    assert [(plan.layers, plan.until) for plan in patch_plans(gated, (3, 8, 8), sides=[2])] == [
        (1, "layers.one")
    ]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, one: one(x.transpose(2, 3)),
        lambda x, one: one(x[..., 1:, :]),
        lambda x, one: one(F.interpolate(x, scale_factor=2)),
        lambda x, one: one(x.mul_(2)),
        lambda x, one: one(F.pad(x, (1, 1, 1, 1), mode="reflect")),
        lambda x, one: nn.functional.conv_transpose2d(x, torch.ones(3, 4, 2, 2), stride=2),
    ],
)
def test_what_looks_elsewhere_than_its_place_does_not_run_in_patches(function):
    network = Functional(function, one=conv(3, 4))
    assert patch_plans(network, (3, 8, 8)) == []


def test_lower_peaks_stand_side_by_side():
    """Stride 2 moves to the first layer: 192 + 4·4·4 = 256, then 64 + 128, 128 + 128."""
    rows = lower_peaks(chain(), (3, 8, 8), budget=430 * FLOAT)
    peaks = {(row.way, row.factor, row.within): row for row in rows}
    pooled = peaks["pooling", 2, None]
    assert pooled.peak == 256 * FLOAT
    assert pooled.macs == 16 * (108 + 288 + 576)
    assert peaks["patches", None, 430 * FLOAT].plan.repeated == 17 * 108
    assert peaks["patches", None, None].peak < 430 * FLOAT
    assert "as low as it gets" in peaks["patches", None, 256 * FLOAT].problem
    assert "cannot be taken from the strides" in peaks["pooling", 4, None].problem


def test_patches_that_do_not_lower_the_peak_are_none():
    wide_end = nn.Sequential(conv(3, 4), nn.AdaptiveAvgPool2d(8), conv(4, 64))
    (row, *_) = lower_peaks(wide_end, (3, 8, 8))
    assert "not within first layers" in row.problem
