"""The lower end of what is kept, worked out by hand; what is right in one half alone is refused."""

import numpy as np
import pytest
from acceleration.conftest import shot
from acceleration.test_adaptive import ONES, Way, filmed, grey
from acceleration.test_judging import Share

from deltadistill.acceleration.adaptive import by_change, tried_by_change
from deltadistill.acceleration.average_precision import average_precision
from deltadistill.acceleration.choice import choose
from deltadistill.acceleration.lower_end import PIECES, lower_end, pieces_of, variance
from deltadistill.acceleration.scoring import Record, Scorer, Scores
from deltadistill.acceleration.trial import Trial


def mean(values):
    return sum(values) / len(values)


def test_pieces_follow_one_another_in_time_over_all_shots():
    shots = [shot(grey(range(12))), shot(grey(range(20)), first=40)]
    numbers = pieces_of(shots)
    assert [numbers["film.mp4", number] for number in (0, 3, 4, 11, 40, 43, 44, 59)] == [
        0,
        0,
        1,
        2,
        3,
        3,
        4,
        7,
    ]
    assert [list(numbers.values()).count(number) for number in range(PIECES)] == [4] * PIECES


def test_the_variance_of_a_mean_of_equal_pieces_is_the_usual_one():
    # Pieces of 2 with means 1, 3, 5: variance of these 4, of their mean 4 / 3.
    assert variance(3.0, [4.0, 3.0, 2.0], [2, 2, 2]) == pytest.approx(4 / 3)


def test_pieces_of_unequal_size_count_by_their_size():
    # 1 record of 0, 3 of 4: mean 3, without the first 4, without the other 0; h = 4 and 4/3.
    # estimate 2·3 − (3/4)·4 − (1/4)·0 = 3; pseudo-values 4·3 − 3·4 = 0 and (4/3)·3 − (1/3)·0 = 4.
    # variance ((0 − 3)² / 3 + (4 − 3)² / (1/3)) / 2 = (3 + 3) / 2.
    assert variance(3.0, [4.0, 0.0], [1, 3]) == pytest.approx(3.0)


def test_the_lower_end_is_so_many_deviations_below():
    pieces = {number: [value] for number, value in enumerate([1.0, 0.8] * 4)}
    # Deviations 0.1 of eight: variance 0.08 / 7, of the mean 0.01 / 7; seven degrees of freedom: 1.415.
    assert lower_end(mean, pieces) == pytest.approx(0.9 - 1.415 * (0.01 / 7) ** 0.5)


def test_it_is_no_more_than_what_either_half_has():
    pieces = {number: [1.0 if number < PIECES // 2 else 0.9] for number in range(PIECES)}
    # The jackknife says 0.95 − 1.415 · √(0.0025 / 7) = 0.9233.
    assert lower_end(mean, pieces) == pytest.approx(0.9)


def test_of_one_piece_nothing_is_known_and_of_all_alike_all():
    assert lower_end(mean, {3: [1.0, 0.9]}) == 0.0
    assert lower_end(mean, {3: [1.0, 1.0], 4: [1.0]}) == 1.0


def test_average_precision_is_taken_anew_without_each_piece():
    # Four frames of one box each: three are found, the surest answer is wrong where nothing is left to find.
    right = [(np.array([0.9]), np.array([True]), 1)]
    wrong = [(np.array([0.95]), np.array([False]), 1)]
    pieces = {0: right, 3: right, 5: right, 7: wrong}
    # Whole: precision at each recall 1/2, 2/3, 3/4, made to fall 3/4; 3 · (3/4) / 4 = 9/16. Without the wrong
    # one 1; without a right one 2 · (2/3) / 3 = 4/9. Estimate 4 · 9/16 − (3/4) · (1 + 3 · 4/9) = 1/2.
    # Pseudo-values 4 · 9/16 − 3 · 4/9 = 11/12, three times, and 9/4 − 3 = −3/4.
    deviation = (((11 / 12 - 1 / 2) ** 2 * 3 + (-3 / 4 - 1 / 2) ** 2) / 3 / 4) ** 0.5
    assert average_precision([record for each in pieces.values() for record in each]) == pytest.approx(9 / 16)
    expected = 9 / 16 - 1.638 * deviation
    assert lower_end(average_precision, pieces) == pytest.approx(expected)


def scores(case, shares):
    """Records of ten frames a piece, as many of them right as the share says."""
    right = [(piece, float(at < 10 * share)) for piece, share in enumerate(shares) for at in range(10)]
    return Scores([[Record(*each) for each in right]])


def trial(name, case, shares, speedup):
    found = scores(case, shares)
    kept, lower = found.kept(case, Share(), 1), found.lower(case, Share(), 1)
    return Trial(name, "moved", speedups={2: speedup}, fidelities={2: kept}, kept={2: kept}, lower={2: lower})


PLAIN = Trial("plain", "per frame", speedups={1: 1.0}, fidelities={1: 1.0}, kept={1: 1.0}, lower={1: 1.0})


def test_a_way_that_is_right_in_one_half_alone_is_refused_and_a_slower_even_one_taken(case):
    halved = trial("halved", case, [1.0] * 4 + [0.9] * 4, 3.0)
    even = trial("even", case, [1.0] * 8, 2.0)
    assert (halved.kept[2], halved.lower[2]) == (pytest.approx(0.95), pytest.approx(0.9))
    choice = choose([PLAIN, halved, even], asked=0.92)
    assert choice.taken.trial is even
    assert choice.unsure.trial is halved
    taken = choose([PLAIN, halved, even], asked=0.9)
    assert (taken.taken.trial, taken.unsure) == (halved, None)


def test_a_threshold_of_change_has_to_do_in_both_halves(case):
    # A jump is seen by every threshold; then the picture creeps, and is as on the key frame there alone.
    case = filmed(case, [0] * 8 + [90] * 8 + [90 + step for step in range(16)], periods=(8,), asked=0.55)
    start, scorer = Trial("moved", "moved", speedups={8: 1.0}), Scorer(case, Share(), ONES)
    found = tried_by_change(by_change(case), Way(), start, scorer, lambda lengths: 2.0, lambda: True)
    # Four key frames, one in 8 frames: 0, 8, and every 6 grey levels later 22 and 28; right are they, and 16.
    assert 5 < found.thresholds[8] <= 6
    assert found.kept[8] == pytest.approx((16 + 3) / 32)
    assert found.lower[8] == pytest.approx(3 / 16)
    choice = choose([PLAIN, found], asked=0.55)
    assert (choice.taken.trial, choice.unsure.trial) == (PLAIN, found)
