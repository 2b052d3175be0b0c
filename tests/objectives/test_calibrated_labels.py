"""FerKD by hand: regions, softened labels, which places count, and that it learns."""

import pytest
import torch
from objectives.learning import falls, of_deltas, per_frame
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.calibrated_labels import calibrated, region_means, softened
from deltadistill.objectives.setting import Setting, make_objective

NONE = 255


def test_regions_by_hand_with_one_cut_off():
    values = torch.tensor([[[1.0, 3.0, 10.0], [5.0, 7.0, 20.0]]])
    assert region_means(values, 2).tolist() == [[[4, 4, 15], [4, 4, 15]]]


def test_a_softened_label_by_hand():
    found = softened(torch.tensor([[[1]]]), 3, 0.2)
    assert found[0, :, 0, 0].tolist() == pytest.approx([0.1, 0.8, 0.1])


def test_which_places_count_and_what_they_want():
    """Certainties 0.9, 0.6 and 0.5: the teacher's, the softened label, nothing; without a label: nothing."""
    taught = torch.tensor([0.9, 0.6, 0.5, 0.6]).reshape(1, 1, 1, 4)
    taught = torch.cat([taught, 1 - taught], 1)
    labels = torch.tensor([[[1, 1, 0, NONE]]])
    targets, kept = calibrated(taught, labels, sure=0.8, lost=0.55, softening=0.1, region=1)
    assert kept.tolist() == [[[True, True, False, False]]]
    assert targets[0, :, 0, 0].tolist() == pytest.approx([0.9, 0.1])
    assert targets[0, :, 0, 1].tolist() == pytest.approx([0.1, 0.9])


@pytest.mark.parametrize(("trainee", "frames"), [(of_deltas, 3), (per_frame, 1)])
def test_it_learns_and_parts_of_a_batch_add_up(trainee, frames):
    chosen = {"calibrated_labels": {"options": {"region": 2}}}
    whole = falls(trainee(chosen), frames)
    assert falls(trainee(chosen, at_once=frames), frames) == pytest.approx(whole, rel=1e-8)


def test_without_labels_it_is_refused():
    known = setting()
    with pytest.raises(ValueError, match="objective calibrated_labels needs labels"):
        make_objective("calibrated_labels", Setting(known.network, known.frames, known.size))


@pytest.mark.parametrize("options", [{"sure": 0.2}, {"lost": -0.1}, {"softening": 1.0}, {"region": 0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(ValueError, match="expected 0 ≤ lost"):
        make_objective("calibrated_labels", setting(), options)
