"""Consistency of classes: successive frames with the same truth, counted by hand."""

from pathlib import Path

import pytest
import torch

from deltadistill.data.manifest import Frame
from deltadistill.evaluation import agreement
from deltadistill.evaluation.agreement_of_classes import SameClass
from deltadistill.metrics.top_classes import Ranking
from deltadistill.tasks.classification import Classification


def counted(*pairs):
    meter = SameClass()
    for classes, truths in pairs:
        meter.update(classes, truths)
    return meter


def test_pairs_count_where_the_truth_stays_whether_the_prediction_is_right_or_not():
    meter = counted(
        ((1, 1), (1, 1)), ((2, 2), (1, 1)), ((1, 2), (1, 1)), ((1, 1), (1, 2)), ((1, 1), (None, 1))
    )
    assert meter.percent() == pytest.approx(100 * 2 / 3)
    assert meter.coverage_percent() == pytest.approx(100 * 3 / 5)


def test_a_pair_of_unknown_truth_does_not_count():
    meter = counted(((1, 1), (None, None)))
    assert meter.percent() != meter.percent()  # NaN
    assert meter.coverage_percent() == 0


def test_counts_add_up():
    one, other = counted(((1, 1), (1, 1))), counted(((1, 2), (1, 1)))
    one.add(other.state())
    assert one.percent() == 50
    assert SameClass().state() is None


def test_the_first_of_each_ranking_is_compared():
    frames = [Frame("a", t, "test", Path("a.png"), target=0.0) for t in range(2)]
    rankings = [Ranking(torch.tensor(order), torch.tensor([0.6, 0.4])) for order in ([0, 1], [1, 0])]
    along = agreement.build(None, {}, Classification(2), dis_preset="fast", min_score=0.1)
    meter = along.meter()
    for _, count in along.between([tuple(frames)]):
        count(meter, rankings[:1], rankings[1:])
        count(meter, rankings[:1], rankings[:1])
    assert meter.percent() == 50


def test_a_task_of_ones_own_that_does_not_say_is_told_what_to_add():
    class Mine:
        form = "own"

    with pytest.raises(ValueError, match=r"Mine does not say .*agreement\(store\)"):
        agreement.build(None, {}, Mine(), dis_preset="fast", min_score=0.1)
