"""One process and two do the same trainings of the pipeline: real networks, augmented clips, a search."""

import pytest
import torch
from distributed.equal_recipes import KINDS, STEPS, curves
from distributed.launching import HERE, found_by_two

IN_FLOAT64 = [kind for kind, (_, precision) in KINDS.items() if precision == torch.float64]


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    file = tmp_path_factory.mktemp("two") / "curves.json"
    return found_by_two(HERE / "equal_recipes.py", file, timeout=300)


@pytest.fixture(scope="module")
def of_one():
    return curves()


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_have_the_losses_of_one_and_choose_as_it_does(kind, of_one, of_two):
    one, two = of_one[kind], of_two[kind]
    assert [row["step"] for row in two["curve"]] == [1, STEPS // 2, STEPS]
    for row, other in zip(two["curve"], one["curve"], strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-5)
    assert two["chosen"] == one["chosen"]


@pytest.mark.parametrize("kind", IN_FLOAT64)
def test_where_little_is_rounded_every_figure_is_the_same(kind, of_one, of_two):
    for row, other in zip(of_two[kind]["curve"], of_one[kind]["curve"], strict=True):
        assert row == pytest.approx(other, rel=1e-8)
    assert of_two[kind]["best"] == pytest.approx(of_one[kind]["best"], rel=1e-8)


def test_the_trainings_are_such_that_equality_says_something(of_one):
    """Losses move, and the searches have left some blocks uncompressed."""
    for kind, found in of_one.items():
        assert len({round(row["loss"], 4) for row in found["curve"]}) == len(found["curve"]), kind
        assert len(set(map(str, found["chosen"].values()))) != 1, kind
