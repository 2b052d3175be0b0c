"""Measures of agreement, by numbers worked out by hand."""

import numpy as np
import pytest

from deltadistill.acceleration.fidelity import (
    BinaryAgreement,
    BoxAgreement,
    ClassAgreement,
    LabelAgreement,
    TensorAgreement,
    measure_of,
)


def total(measure, *pairs):
    return measure.total([measure.record(one, other) for one, other in pairs])


def boxes(*corners, scores=None, labels=None):
    scores = np.ones(len(corners)) if scores is None else np.array(scores)
    labels = np.zeros(len(corners)) if labels is None else np.array(labels)
    return {"boxes": np.array(corners, float).reshape(-1, 4), "scores": scores, "labels": labels}


def labels(*rows):
    return {"label_map": np.array(rows)}


def test_labels_agree_by_the_mean_iou_of_the_reference_s_classes():
    # class 0: 1 of 3 (a found 0 too many does not exist), class 1: 1 of 2; class 2 is only found
    pair = labels([0, 0], [0, 1]), labels([0, 2], [2, 1])
    assert total(LabelAgreement(), pair) == pytest.approx((1 / 3 + 1) / 2)


def test_labels_of_several_frames_are_counted_together():
    pairs = (labels([0, 0]), labels([0, 0])), (labels([0, 1]), labels([1, 1]))
    assert total(LabelAgreement(), *pairs) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_average_precision_is_the_area_below_precision_over_recall():
    there = boxes([0, 0, 10, 10], [20, 20, 30, 30])
    found = boxes([0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 30], scores=[0.9, 0.8, 0.7])
    assert total(BoxAgreement(), (there, found)) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_a_box_of_another_class_does_not_agree():
    pair = boxes([0, 0, 9, 9], labels=[1]), boxes([0, 0, 9, 9], labels=[2])
    assert total(BoxAgreement(), pair) == 0


def test_unsure_boxes_of_the_reference_are_none():
    pair = boxes([0, 0, 9, 9], [20, 0, 29, 9], scores=[0.9, 0.2]), boxes([0, 0, 9, 9])
    assert total(BoxAgreement(0.5), pair) == 1


def test_two_answers_without_boxes_agree():
    assert total(BoxAgreement(), (boxes(), boxes())) == 1
    assert total(BoxAgreement(), (boxes(), boxes([0, 0, 1, 1]))) == 0


def test_binary_maps_agree_by_f1_at_one_half():
    pair = {"map": np.array([[0.9, 0.8, 0.1]])}, {"map": np.array([[0.6, 0.1, 0.2]])}
    assert total(BinaryAgreement(), pair) == pytest.approx(2 / 3)


def test_tensors_agree_by_one_minus_the_error_over_the_variance():
    one, other = {"tensors": {"a": np.array([0.0, 2.0])}}, {"tensors": {"a": np.array([0.0, 1.0])}}
    assert total(TensorAgreement(), (one, other)) == pytest.approx(1 - 1 / 2)
    assert total(TensorAgreement(), (one, one)) == 1


def test_tensors_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="name a decoder"):
        TensorAgreement().record({"tensors": {"a": np.zeros(2)}}, {"tensors": {"a": np.zeros(3)}})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (boxes(), BoxAgreement),
        (labels([0]), LabelAgreement),
        ({"map": np.array([[0.0, 1.0]])}, BinaryAgreement),
        ({"map": np.array([[3.0, 10.0]])}, TensorAgreement),
        ({"classes": np.array([1]), "scores": np.array([1.0])}, ClassAgreement),
        ({"tensors": {}}, TensorAgreement),
    ],
)
def test_the_form_of_the_answers_decides_on_the_measure(answer, kind):
    assert isinstance(measure_of([answer]), kind)
