"""GKD's soft distillation by hand: what a feature retrieves, grids, and that it learns."""

import math

import pytest
import torch
from objectives.learning import learns_everywhere
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.query_retrieval import on_grid, retrieved
from deltadistill.objectives.setting import make_objective


def test_what_is_retrieved_by_hand():
    """A query along the first of two features at right angles: at τ = 1 / ln 3 shares ¾ and ¼."""
    queries = torch.tensor([[[[5.0, 5.0]], [[0.0, 0.0]]]])
    taught = torch.tensor([[[[4.0, 0.0]], [[0.0, 8.0]]]])
    found = retrieved(queries, taught, temperature=1 / math.log(3))
    assert found[0, :, 0, 0].tolist() == pytest.approx([3, 2], rel=1e-5)


def test_with_no_temperature_to_speak_of_it_is_the_feature_that_is_most_alike():
    taught = torch.tensor([[[[4.0, 0.0]], [[0.0, 8.0]]]])
    queries = torch.tensor([[[[1.0, 3.0]], [[2.0, 1.0]]]])
    found = retrieved(queries, taught, temperature=0.001)
    assert found[0, :, 0].T.tolist() == [[0, 8], [4, 0]]


def test_a_grid_averages_and_leaves_small_maps_alone():
    maps = torch.arange(8.0).reshape(1, 1, 2, 4)
    assert on_grid(maps, 2).tolist() == [[[[0.5, 2.5], [4.5, 6.5]]]]
    assert on_grid(maps, 4) is maps


def test_it_learns():
    learns_everywhere("query_retrieval", {"grid": 4}, per_frame_options={"modules": {"2": "3"}})


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"grid": 0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(ValueError, match=r"must be above 0 and grid \d+ at least 1"):
        make_objective("query_retrieval", setting(), options)
