"""Collaborative learning by hand: who is right where, what is exchanged, and that both students learn."""

import math

import pytest
import torch
from objectives.learning import falls, of_deltas, per_frame
from objectives.test_making_and_keeping import setting
from torch import nn
from training.toy_trainings import Brightness

from deltadistill.objectives.right_of_two import (
    divergences,
    exchanged,
    exchanged_regions,
    label_losses,
    region_losses,
)
from deltadistill.objectives.setting import Setting, make_objective

NONE = 255
LN3, LN4 = math.log(3), math.log(4)
PARTNER = "objectives.test_collaboration:partner"
NO_MAPS = "objectives.test_collaboration:no_maps"


def partner(classes):
    return nn.Sequential(nn.Conv2d(3, 5, 3, 2, 1), nn.ReLU(), nn.Conv2d(5, classes, 1))


def no_maps(classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))


def two_classes(*logits):
    """Logits (1, 2, 1, places) whose second class has 0: ln 3 is a probability of ¾ for the first."""
    first = torch.tensor(logits).reshape(1, 1, 1, -1)
    return torch.cat([first, torch.zeros_like(first)], 1).requires_grad_()


def test_the_loss_of_labels_by_hand():
    found = label_losses(two_classes(LN3, LN3, LN3), torch.tensor([[[0, 1, NONE]]]))
    assert found.flatten().tolist() == pytest.approx([math.log(4 / 3), LN4, 0])


def test_a_divergence_by_hand_and_that_only_the_second_gets_a_gradient():
    """KL((¾, ¼) ‖ (½, ½)) = ¾ ln 1.5 − ¼ ln 2."""
    right, learning = two_classes(LN3), two_classes(0.0)
    found = divergences(right, learning).sum()
    assert found.item() == pytest.approx(0.75 * math.log(1.5) - 0.25 * math.log(2), rel=1e-5)
    found.backward()
    assert right.grad is None
    assert learning.grad.flatten().tolist() == pytest.approx([0.5 - 0.75, 0.5 - 0.25])


def test_whoever_is_wrong_at_a_pixel_learns_there():
    """The first is right at places 0 and, as equals, 2; the second at 1; place 3 has no label."""
    first, second = two_classes(LN3, LN3, 0.0, LN3), two_classes(0.0, 0.0, 0.0, 0.0)
    found = exchanged(first, second, torch.tensor([[[0, 1, 1, NONE]]]))
    to_second = 0.75 * math.log(1.5) - 0.25 * math.log(2)
    to_first = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert found.item() == pytest.approx(to_second + to_first, rel=1e-5)
    found.backward()
    assert (first.grad[0, 0, 0] != 0).tolist() == [False, True, False, False]
    assert (second.grad[0, 0, 0] != 0).tolist() == [True, False, False, False]


def test_the_loss_of_regions_by_hand():
    """Two regions: losses 1 and 3 of two labels; one of 6 beside a place without. A third has none."""
    losses = torch.tensor([[[1.0, 3.0, 6.0, 0.0, 0.0, 0.0]]])
    classes = torch.tensor([[[0, 0, 1, NONE, NONE, NONE]]])
    mean, counted = region_losses(losses, classes, (1, 3))
    assert mean.tolist() == [pytest.approx([2, 6, 0])]
    assert counted.tolist() == [[True, True, False]]


def test_what_regions_exchange_by_hand():
    """Cosine 0 of one, 0.96 of the other: each row differs in one of two entries, 0.96² / 2 a region."""
    own = torch.tensor([[[[1.0, 0.0]], [[0.0, 9.0]]]], requires_grad=True)
    theirs = torch.tensor([[[[3.0, 4.0]], [[4.0, 3.0]]]], requires_grad=True)
    both = torch.tensor([[True, True]])
    found = exchanged_regions(own, theirs, first_learns=torch.tensor([[True, False]]), counted=both)
    assert found.item() == pytest.approx(0.96**2, rel=1e-5)
    exchanged_regions(own, theirs, first_learns=both, counted=torch.tensor([[True, False]])).backward()
    assert own.grad.abs().sum() > 0
    assert theirs.grad is None or theirs.grad.abs().sum() == 0


@pytest.mark.parametrize(("trainee", "frames", "module"), [(of_deltas, 3, "3"), (per_frame, 1, "0")])
@pytest.mark.parametrize("by_maps", [False, True])
def test_it_learns_and_parts_of_a_batch_add_up(trainee, frames, module, by_maps):
    options = {"partner": PARTNER, "grid": 2} | ({"modules": {module: "0"}} if by_maps else {})
    chosen = {"collaboration": {"options": options}}
    whole = falls(trainee(chosen), frames)
    assert falls(trainee(chosen, at_once=frames), frames) == pytest.approx(whole, rel=1e-8)


def test_both_students_learn_and_the_partner_is_no_part_of_the_network():
    training = per_frame({"collaboration": {"options": {"partner": PARTNER, "grid": 2}}})
    objective = training.terms["collaboration"].objective
    both = [training.network, objective.partner]
    before = [torch.cat([p.detach().flatten() for p in each.parameters()]) for each in both]
    training.step(0, Brightness(1)[0])
    after = [torch.cat([p.detach().flatten() for p in each.parameters()]) for each in both]
    assert not any(torch.equal(*pair) for pair in zip(before, after, strict=True))
    kept = training.state()
    assert any(name.startswith("partner.") for name in kept["companions"]["collaboration"])
    assert not any("partner" in name for name in kept["network"])


def test_without_an_exchange_the_partner_learns_labels_alone():
    options = {"partner": PARTNER, "pixel": 0.0, "region": 0.0}
    training, batch = per_frame({"collaboration": {"options": options}}), Brightness(1)[0]
    partner, frames = training.terms["collaboration"].objective.partner, batch["clip"][:, 0].double() / 255
    with torch.no_grad():
        logits = nn.functional.interpolate(partner(frames), (8, 8), mode="bilinear")
        wanted = nn.functional.cross_entropy(logits, batch["label"][:, 0].long())
    (found,) = training.losses(0, batch)
    assert found["collaboration"].item() == pytest.approx(wanted.item(), rel=1e-8)


def test_a_transformer_of_the_table_may_be_the_partner():
    sizes = {"patch_size": 4, "width": 8, "layers": 1, "heads": 2, "grid": 2}
    options = {"partner": "segmenter", "partner_options": sizes, "modules": {"3": "features"}}
    made = make_objective("collaboration", setting(), options)
    assert made.grid == (2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pixel": -1.0}, r"pixel -1\.0 and region 1\.0 must be at least 0"),
        ({"grid": 0}, "grid 0 at least 1"),
        ({"partner": NO_MAPS}, r"must both return logits \(N, 2, H, W\)"),
        ({"partner": "unheard_of"}, "unknown model 'unheard_of'"),
        ({"modules": {"3": "neck"}}, "an objective names the module 'neck'"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_objective("collaboration", setting(), {"partner": PARTNER} | options)


def test_without_labels_it_is_refused():
    known = setting()
    alone = Setting(known.network, known.frames, known.size)
    with pytest.raises(ValueError, match="objective collaboration needs labels"):
        make_objective("collaboration", alone, {"partner": PARTNER})
