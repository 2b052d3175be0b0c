"""Scores of sets of generated pictures by their features, worked by hand."""

import numpy as np
import pytest
import torch

from deltadistill.metrics.frechet import frechet_distance
from deltadistill.metrics.manifolds import precision_and_recall


def column(*values):
    return np.array(values, float)[:, None]


def test_in_one_dimension_it_is_the_difference_of_means_and_of_deviations():
    made, real = column(0, 2), column(3, 7, 11)  # means 1 and 7, variances 2 and 16
    assert frechet_distance(made, real) == pytest.approx((7 - 1) ** 2 + (16**0.5 - 2**0.5) ** 2)


def test_covariances_that_do_not_commute_are_compared_by_their_product():
    made, real = (
        np.array([[1, 0], [-1, 0]]),
        np.array([[1, 1], [-1, -1]]),
    )  # Σ = [[2, 0], [0, 0]], Σ′ = [[2, 2], [2, 2]]
    assert frechet_distance(made, real) == pytest.approx(
        2 + 4 - 2 * 4**0.5
    )  # ΣΣ′ has the eigenvalues 4 and 0


def test_equal_sets_have_no_distance_and_neither_order_matters():
    features = np.random.default_rng(0).normal(size=(50, 8))
    assert frechet_distance(features, features[::-1]) == pytest.approx(0, abs=1e-9)
    other = features * 2 + 1
    assert frechet_distance(features, other) == pytest.approx(frechet_distance(other, features))


@pytest.mark.parametrize("shapes", [((1, 3), (4, 3)), ((4, 2), (4, 3)), ((4,), (4,))])
def test_features_that_have_no_covariance_or_differ_in_length_are_refused(shapes):
    with pytest.raises(ValueError, match="expected at least two each"):
        frechet_distance(*(np.zeros(shape) for shape in shapes))


def test_what_is_made_counts_within_a_real_ones_reach_and_the_other_way_round():
    real = torch.tensor([[0.0], [1.0], [3.0]])  # reach to the nearest other: 1, 1, 2
    made = torch.tensor([[0.5], [5.0], [5.1], [6.0]])  # reach: 4.5, 0.1, 0.1, 0.9
    precision, recall = precision_and_recall(made, real, neighbours=1)
    assert (precision, recall) == (
        2 / 4,
        3 / 3,
    )  # 0.5, and 5.0 at the very end of 3's reach; all within 0.5's


def test_the_kth_neighbour_decides_the_reach():
    real = torch.tensor([[0.0], [1.0], [3.0]])  # to the second nearest: 3, 2, 3
    made = torch.tensor([[5.9], [6.1], [-3.1]])
    assert precision_and_recall(made, real, neighbours=2)[0] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="3 and 3 features have no 3-th neighbours"):
        precision_and_recall(made, real)
