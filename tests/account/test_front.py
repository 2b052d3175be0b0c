"""The Pareto front, by hand."""

from deltadistill.account.front import front


def test_what_another_beats_at_no_more_cost_is_not_on_the_front():
    points = {"cheap": (1, 50), "worse": (2, 49), "dear": (3, 70), "as good": (4, 70), "same cost": (3, 60)}
    assert front(points) == ["cheap", "dear"]


def test_of_equal_points_the_first_is_named():
    assert front({"a": (1, 5), "b": (1, 5)}) == ["a"]
    assert front({}) == []
