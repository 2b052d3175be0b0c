import pytest

from deltadistill.measures import MAP50, MIOU, measure_in


def test_the_measure_is_the_one_whose_score_is_there():
    assert measure_in({"gmacs": 2.0, "map50": None}) is MAP50
    assert measure_in({"miou": 71.0, "map": 3.0}) is MIOU


@pytest.mark.parametrize("found", [{}, {"map": 3.0, "iou": {}}, ["miou"], "miou", None])
def test_what_has_no_main_score_has_no_measure(found):
    assert measure_in(found) is None
