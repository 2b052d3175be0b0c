"""Classification: losses and predictions with numbers worked by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import DatasetInfo, Frame
from deltadistill.metrics.measures import TOP1
from deltadistill.tasks import of_dataset
from deltadistill.tasks.classification import IGNORED, Classification

LOSS = {"name": "cross_entropy", "ohem_threshold": 0.9, "ohem_keep": 0.1, "class_weights": None}


def logits(*shares):
    """Logits whose softmax is as given, a row a frame."""
    return torch.tensor(shares).log()


def test_the_loss_is_the_mean_over_labelled_frames():
    task = Classification(2)
    labels = task.targets(torch.tensor([0.0, float("nan"), 1.0]))
    assert labels.tolist() == [0, IGNORED, 1]
    given = logits([0.5, 0.5], [0.9, 0.1], [0.75, 0.25])
    assert task.loss(given, labels).item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_a_smoothed_label_wants_its_share_evenly():
    task = Classification(2, label_smoothing=0.2)
    loss = task.loss(logits([0.75, 0.25]), torch.tensor([0])).item()
    assert loss == pytest.approx(-0.9 * math.log(0.75) - 0.1 * math.log(0.25))


def test_parts_of_a_batch_add_up_to_the_whole():
    task, generator = Classification(3, label_smoothing=0.1), torch.Generator().manual_seed(0)
    given, labels = torch.randn(5, 3, generator=generator), torch.tensor([0, 2, IGNORED, 1, 2])
    parts = [(given[:2], labels[:2]), (given[2:], labels[2:])]
    of = task.extent(parts)
    assert of.item() == 4
    total = sum(task.loss(*part, of) for part in parts)
    assert total.item() == pytest.approx(task.loss(given, labels).item())


def test_a_batch_without_a_label_has_no_loss():
    assert Classification(2).loss(logits([0.5, 0.5]), torch.tensor([IGNORED])).item() == 0


def test_imitation_is_the_divergence_from_the_teacher_mean_over_frames():
    task = Classification(2)
    loss = task.imitation_loss(logits([0.5, 0.5], [0.25, 0.75]), logits([0.25, 0.75], [0.25, 0.75])).item()
    assert loss == pytest.approx((0.25 * math.log(0.5) + 0.75 * math.log(1.5)) / 2)


def test_the_likeliest_five_come_first_and_of_equals_the_lower_class():
    (found,) = Classification(7).predict(logits([0.1, 0.2, 0.05, 0.2, 0.1, 0.3, 0.05]))
    assert found.classes.tolist() == [5, 1, 3, 0, 4]
    assert found.scores.tolist() == pytest.approx([0.3, 0.2, 0.2, 0.1, 0.1])


def test_fewer_than_five_classes_are_all_guessed():
    task = Classification(2)
    found = task.predict(logits([0.4, 0.6], [0.6, 0.4]))
    assert [guess.classes.tolist() for guess in found] == [[1, 0], [0, 1]]
    metric = task.metric()
    for guess, truth in zip(found, (1, 1), strict=True):
        metric.update(guess, truth)
    calibration = abs(1 / 2 - 0.6)  # both are 60 % sure, and one is right
    assert task.scores(metric).overall == pytest.approx({"top1": 0.5, "top5": 1.0, "ece": calibration})
    assert task.score(metric) == 0.5
    array = task.as_array(found)
    assert (array.shape, array.dtype) == ((2, 2, 2), np.float32)
    assert array[0, 0].tolist() == pytest.approx([1, 0.6])
    assert set(task.scores(metric).overall) == {TOP1.key, *TOP1.also}


def test_the_reference_is_the_frames_class_and_a_teachers_its_likeliest():
    task, frame = Classification(3), Frame("a", 0, "test", Path("a.png"), target=2.0)
    assert task.reference(None)(frame) == 2
    assert task.reference(None)(Frame("a", 0, "test", Path("a.png"))) is None
    (found,) = task.predict(logits([0.2, 0.5, 0.3]))
    assert task.as_reference(found, frame) == 1


@pytest.mark.parametrize("output", [torch.zeros(2, 3, 4, 4), torch.zeros(2, 4), {"out": 1}])
def test_a_network_that_is_no_classifier_is_refused(output):
    with pytest.raises(ValueError, match=r"needs logits \(N, 3\)"):
        Classification(3).predict(output)


def test_the_sections_of_the_parameters_make_it():
    info = DatasetInfo(
        "imagefolder", (8, 8), (ClassEntry("a", (0, 0, 0), ()), ClassEntry("b", (1, 1, 1), ()))
    )
    made = of_dataset.build(info, boxes={}, loss=LOSS | {"label_smoothing": 0.1})
    assert made == Classification(2, label_smoothing=0.1)
    with pytest.raises(ValueError, match=r"loss ohem .*is for label maps"):
        of_dataset.build(info, boxes={}, loss=LOSS | {"name": "ohem"})
    with pytest.raises(ValueError, match="label_smoothing is 1"):
        Classification(2, label_smoothing=1)
