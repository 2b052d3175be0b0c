"""Short periods are judged by more sequences than long ones, and long ones by whole sequences alone."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.fidelity import TensorAgreement
from deltadistill.acceleration.judging import Judge, sequences_of, short_ones
from deltadistill.acceleration.scoring import Scorer, Scores
from deltadistill.acceleration.trial import Trial


class Share(TensorAgreement):
    """The share of records that are right."""

    def record(self, reference, found):
        return float(found)

    def total(self, records):
        return sum(records) / len(records)


class Wrong:
    """Right on key frames alone."""

    def begin(self, frame):
        return 1.0

    def next_one(self, frame):
        return 0.0


def test_scores_are_put_together_by_distance():
    found = Scores([[1], [2], [3]], [[1]]).with_others(Scores([[4], [5], [6]], []), 2)
    assert (found.agreement, found.truth) == ([[1, 4], [2, 5]], [[1]])


def test_short_sequences_are_others_than_the_long_ones(case):
    case = replace(case, periods=(2, 8))
    long = {(id(each.shot), each.start) for each in sequences_of(case)}
    short = short_ones(case)
    assert short
    assert not long & {(id(each.shot), each.start) for each in short}


def test_frames_near_their_key_frame_do_not_count_for_more_at_long_periods(case):
    case = replace(case, periods=(2, 5, 8))
    base = SimpleNamespace(
        scorer=lambda case: Scorer(case, Share(), SimpleNamespace(begin=lambda frame: 1.0))
    )
    found = Judge(case, base, Budget(100)).judged(Wrong(), Trial("wrong", "copied"))
    assert found.kept == pytest.approx({2: 1 / 2, 5: 1 / 5, 8: 1 / 8})
