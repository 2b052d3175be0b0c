"""Averaged teachers by hand: both divergences, networks from files, and that it learns."""

import math

import pytest
import torch
from distributed.equal_recipes import street_network
from objectives.learning import learns_everywhere
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.setting import Setting, make_objective
from deltadistill.objectives.teacher_average import divergence_of
from deltadistill.stored.network_file import save_network
from deltadistill.tasks.segmentation import Segmentation

OPTIONS = {"width": 8, "stem_strides": [2, 1]}


def test_the_divergences_by_hand():
    """Wanted (1, 0), given (½, ½): ln 2. The middle is (¾, ¼): (ln 4/3 + ½ ln 2/3 + ½ ln 2) / 2."""
    logits, average = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    assert divergence_of(logits, average, "kl").item() == pytest.approx(math.log(2))
    expected = (math.log(4 / 3) + 0.5 * math.log(2 / 3) + 0.5 * math.log(2)) / 2
    assert divergence_of(logits, average, "js").item() == pytest.approx(expected)


@pytest.mark.parametrize("divergence", ["kl", "js"])
def test_it_learns(divergence):
    options = {"divergence": divergence}
    learns_everywhere("teacher_average", options, per_frame_options=options)


def test_networks_of_files_are_averaged_with_the_teacher_and_stay_out_of_checkpoints(tmp_path):
    network = street_network(3)
    described = {"name": "ddrnet23_slim", "classes": 3, "options": OPTIONS}
    save_network(tmp_path / "other.pt", network, model=described)
    where = Setting(network, torch.rand(1, 3, 16, 24), (16, 24), Segmentation(3))
    objective = make_objective("teacher_average", where, {"others": [str(tmp_path / "other.pt")]})
    assert objective.state_dict() == {}
    assert list(objective.parameters()) == []


def test_networks_of_other_classes_are_refused(tmp_path):
    described = {"name": "ddrnet23_slim", "classes": 3, "options": OPTIONS}
    save_network(tmp_path / "other.pt", street_network(3), model=described)
    where = Setting(street_network(4), torch.rand(1, 3, 16, 24), (16, 24), Segmentation(4))
    with pytest.raises(ValueError, match=r"other\.pt does not return logits of 4 classes"):
        make_objective("teacher_average", where, {"others": [str(tmp_path / "other.pt")]})


def test_another_divergence_is_refused():
    with pytest.raises(ValueError, match="divergence 'l2' is unknown; allowed: kl, js"):
        make_objective("teacher_average", setting(), {"divergence": "l2"})
