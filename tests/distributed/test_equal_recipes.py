"""One process and two do the same trainings of the pipeline: real networks, augmented clips, a search."""

import pytest
from distributed.equal_recipes import KINDS, STEPS, curves
from distributed.launching import HERE, found_by_two

# All is computed in float64 (see equal_recipes): another order of sums moves a gradient by some 1e-16. Adam
# divides by the gradient's size and 1e-8, so that of a gradient that is nothing but rounding (a bias before a
# batch norm) at most 1e-8 learning rates reach a weight: below 1e-10 a step at rates up to 0.003. In float32,
# with 1e-7 in place of 1e-16, whole learning rates would, and no bound would say anything.
EQUAL = 1e-8


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    file = tmp_path_factory.mktemp("two") / "curves.json"
    return found_by_two(HERE / "equal_recipes.py", file, timeout=900)


@pytest.fixture(scope="module")
def of_one():
    return curves()


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_have_the_figures_of_one_and_choose_as_it_does(kind, of_one, of_two):
    one, two = of_one[kind], of_two[kind]
    assert [row["step"] for row in two["curve"]] == [1, STEPS // 2, STEPS]
    for row, other in zip(two["curve"], one["curve"], strict=True):
        assert row == pytest.approx(other, rel=EQUAL)
    assert two["best"] == pytest.approx(one["best"], rel=EQUAL)
    assert two["chosen"] == one["chosen"]


def test_the_trainings_are_such_that_equality_says_something(of_one):
    """Losses move, the best network has a score, and the searches have left some blocks uncompressed."""
    for kind, found in of_one.items():
        assert len({round(row["loss"], 4) for row in found["curve"]}) == len(found["curve"]), kind
        assert found["best"][1] > 1, kind
        assert len(set(map(str, found["chosen"].values()))) != 1, kind
