import pytest

from deltadistill.metrics import measures
from deltadistill.metrics.measures import (
    MAP50,
    MIOU,
    TOP1,
    Bounds,
    Measure,
    make_known,
    measure_in,
)


def test_the_measure_is_the_one_whose_score_is_there():
    assert measure_in({"gmacs": 2.0, "map50": None}) is MAP50
    assert measure_in({"miou": 71.0, "map": 3.0}) is MIOU


@pytest.mark.parametrize("found", [{}, {"map": 3.0, "iou": {}}, ["miou"], "miou", None])
def test_what_has_no_main_score_has_no_measure(found):
    assert measure_in(found) is None


def test_accuracy_is_called_by_what_it_is_measured_against():
    assert (MIOU.against("labels"), MAP50.against("labels")) == ("mIoU", "mAP@0.5")
    assert MIOU.against("teacher") == MAP50.against("teacher") == "fidelity"
    assert MIOU.in_full("labels") == "mIoU"
    assert MAP50.in_full("labels", unit="%") == "mAP@0.5 (%)"
    assert MIOU.in_full("teacher") == "fidelity to the per-frame teacher (mIoU)"
    assert MAP50.in_full("teacher", unit="%") == "fidelity to the per-frame teacher (mAP@0.5, %)"


def test_a_measure_of_ones_own_is_known_once_and_its_key_is_its_own(monkeypatch):
    monkeypatch.setattr(measures, "MEASURES", dict(measures.MEASURES))
    psnr = Measure("psnr", "PSNR", "psnr_of_class", "PSNR")
    for _ in range(2):
        make_known(psnr)
        assert measure_in({"psnr": 31.0}) is psnr
    with pytest.raises(ValueError, match="the measure 'psnr' is taken by PSNR; rename yours"):
        make_known(Measure("psnr", "peak ratio", "psnr_of_class", "PSNR"))
    assert measure_in({"psnr": 31.0}) is psnr


def test_the_bounds_of_claims_are_what_they_were_before_anything_was_measured():
    """Whoever softens one does so here too."""
    labels = Bounds(compute={3: 0.5}, kept=1.0, feature=5, copy={3: 2, 10: 8}, small=1, teacher=75)
    boxes = Bounds(compute={3: 0.55, 10: 0.4}, kept=2.0, feature=2, copy={3: 1, 10: 5}, small=1, teacher=50)
    classes = Bounds(compute={3: 0.5}, kept=1.0, feature=1, copy={3: 1, 10: 2}, small=1, teacher=70)
    assert [measure.bounds for measure in (MIOU, MAP50, TOP1)] == [labels, boxes, classes]
