"""Maps of numbers: scores against the network's own, without labels."""

import math

import numpy as np
import pytest
import torch

from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import Frame
from deltadistill.metrics.map_error import MapError
from deltadistill.tasks import of_dataset as tasks


def maps():
    info = DatasetInfo("video", (2, 2), (ClassEntry("map", (0, 0, 0), ()),))
    return tasks.build(info, boxes={}, named="maps")


def map_of(*values):
    return torch.tensor(values).view(1, 1, -1)


def test_agreement_is_one_less_the_relative_squared_error_over_all_frames():
    metric = MapError()
    metric.update(map_of(1.0, 2.0), map_of(1.0, 4.0))  # 4 of 17
    metric.update(map_of(3.0, 0.0), map_of(2.0, 0.0))  # 1 of 4
    assert metric.agreement() == pytest.approx(1 - 5 / 21)
    scores = maps().scores(metric)
    assert scores.overall == {"map_agreement": pytest.approx(16 / 21)}
    assert scores.by_class == [pytest.approx(16 / 21)]


def test_counts_of_parts_add_up_to_those_of_all():
    first, second, both = MapError(), MapError(), MapError()
    for metric in (first, both):
        metric.update(map_of(1.0, 2.0), map_of(1.0, 4.0))
    for metric in (second, both):
        metric.update(map_of(3.0, 0.0), map_of(2.0, 0.0))
    assert (first + second).state() == both.state()
    first.add(second.state())
    assert first.state() == both.state()
    assert MapError().state() is None


def test_maps_farther_than_nothing_score_0_and_no_map_at_all_no_number():
    metric = MapError()
    assert math.isnan(metric.agreement())
    metric.update(map_of(9.0), map_of(1.0))
    assert metric.agreement() == 0
    still = MapError()
    still.update(map_of(0.0), map_of(0.0))
    assert still.agreement() == 1


def test_a_map_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"a map of \(1, 1, 2\) cannot be compared with \(1, 1, 3\)"):
        MapError().update(map_of(1.0, 2.0), map_of(1.0, 2.0, 3.0))


def test_predictions_are_the_first_output_and_imitation_looks_at_all():
    task, first, second = maps(), torch.ones(2, 3, 4, 4), torch.ones(2, 1, 2, 2)
    assert torch.equal(task.predict((first, second), network=None), first)
    # (2 − 1)² / 2² of the first, 0 of the second
    loss = task.imitation_loss((first, second), (2 * first, second), network=None)
    assert float(loss) == pytest.approx(0.125)
    with pytest.raises(ValueError, match=r"first output is \(2, 5\); expected a map"):
        task.predict(torch.ones(2, 5), network=None)


def test_labels_that_there_are_not_are_asked_for_in_vain():
    task, frame = maps(), Frame("ride", 3, "test", None)
    with pytest.raises(ValueError, match=r"frame 3 of ride has no map.*reference: teacher"):
        task.reference(None)(frame)
    with pytest.raises(ValueError, match="distill without labels"):
        task.loss(None, None, None, network=None)


def test_successive_maps_are_compared_place_by_place():
    task = maps()
    ((way, count),) = task.agreement(None).between([])
    meter = task.agreement(None).meter()
    count(meter, [map_of(1.0, 1.0)], [map_of(1.0, 2.0)])
    assert way == ("maps", "all")
    assert meter.percent() == pytest.approx(80)
    assert meter.coverage_percent() == 100


def test_pictures_are_means_over_channels():
    array = maps().as_array([torch.stack([torch.zeros(2, 2), torch.ones(2, 2)])])
    assert np.array_equal(array, np.full((1, 2, 2), 0.5, np.float32))
