"""Features of frames: scores against the network's own, and the frames that a search finds."""

import math

import numpy as np
import pytest
import torch

from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import Frame
from deltadistill.metrics.feature_similarity import FeatureSimilarity, cosine, nearest_kept
from deltadistill.tasks import of_dataset as tasks


def features():
    info = DatasetInfo("video", (2, 2), (ClassEntry("feature", (0, 0, 0), ()),))
    return tasks.build(info, boxes={}, named="features")


def counted(*pairs):
    metric = FeatureSimilarity()
    for one, other in pairs:
        metric.update(torch.tensor(one), torch.tensor(other))
    return metric


def test_the_score_is_the_mean_cosine_over_frames():
    metric = counted(([3.0, 4.0], [6.0, 8.0]), ([3.0, 4.0], [1.0, 0.0]))  # 1 and 0.6
    assert metric.mean() == pytest.approx(0.8)
    scores = features().scores(metric)
    assert scores.overall == {"feature_similarity": pytest.approx(0.8)}
    assert scores.by_class == [pytest.approx(0.8)]


def test_counts_of_parts_add_up_to_those_of_all():
    first, second = counted(([1.0, 0.0], [1.0, 1.0])), counted(([0.0, 2.0], [1.0, 0.0]))
    both = counted(([1.0, 0.0], [1.0, 1.0]), ([0.0, 2.0], [1.0, 0.0]))
    assert (first + second).state() == both.state()
    first.add(second.state())
    assert first.state() == both.state()
    assert FeatureSimilarity().state() is None


def test_opposite_features_score_0_and_no_feature_at_all_no_number():
    assert features().scores(counted(([1.0], [-1.0]))).overall["feature_similarity"] == 0
    assert math.isnan(FeatureSimilarity().mean())
    assert counted(([0.0, 0.0], [0.0, 0.0])).mean() == 1
    assert counted(([0.0, 0.0], [0.0, 1.0])).mean() == 0


def test_students_imitate_the_direction_and_not_the_length():
    task, taught = features(), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    made = torch.tensor([[5.0, 0.0], [3.0, 4.0]], requires_grad=True)
    loss = task.imitation_loss(made, taught, network=None)
    assert loss.item() == pytest.approx((0 + 1 - 0.8) / 2)
    loss.backward()
    assert torch.equal(made.grad[0], torch.zeros(2))
    assert made.grad[1, 1] < 0 < made.grad[1, 0]
    torch.testing.assert_close(cosine(made, taught), torch.tensor([1.0, 0.8]))


def test_the_nearest_other_frame_of_each_is_compared():
    wanted = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])  # 0 and 1 are near, 2 and 3
    assert nearest_kept(wanted, wanted) == 1
    turned = wanted.clone()
    turned[0] = torch.tensor([0.1, 1.0])  # frame 0 asks like frame 3
    assert nearest_kept(turned, wanted) == 0.75
    assert nearest_kept(3 * turned, wanted) == 0.75
    # with frames next to each other left out, the nearest of 0 is 3, of 1 is 3, of 2 is 0, of 3 is 1
    assert nearest_kept(turned, wanted, apart=2) == 1
    assert math.isnan(nearest_kept(wanted, wanted, apart=4))
    with pytest.raises(ValueError, match=r"\(4, 2\) and \(3, 2\)"):
        nearest_kept(wanted, wanted[:3])


def test_predictions_are_the_first_output_one_vector_a_frame():
    task, output = features(), {"feature": torch.ones(2, 3, dtype=torch.float64), "more": torch.ones(2, 1)}
    assert task.predict(output, network=None).tolist() == [[1, 1, 1], [1, 1, 1]]
    array = task.as_array(list(task.predict(output, network=None)))
    assert (array.shape, array.dtype) == ((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"first output is \(2, 3, 4\); expected a feature a frame"):
        task.predict(torch.ones(2, 3, 4), network=None)
    with pytest.raises(ValueError, match=r"cannot be compared with \(3,\)"):
        FeatureSimilarity().update(torch.ones(2), torch.ones(3))


def test_successive_frames_are_compared_one_with_the_next():
    agreement = features().agreement(None)
    meter = agreement.meter()
    ((way, count),) = agreement.between([(None, None)])
    count(meter, [torch.tensor([1.0, 0.0])], [torch.tensor([3.0, 4.0])])
    assert (way, meter.percent(), meter.coverage_percent()) == (
        ("features", "all"),
        pytest.approx(60),
        100,
    )


def test_labels_are_asked_of_nobody():
    with pytest.raises(ValueError, match="distill without labels"):
        features().loss(None, None)
    with pytest.raises(ValueError, match="reference: teacher"):
        features().reference(None)(Frame("clip", 3, "test", None))
