"""Short periods are judged by more sequences than long ones, and long ones by whole sequences alone."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.fidelity import TensorAgreement
from deltadistill.acceleration.judging import Judge, sequences_of, short_ones
from deltadistill.acceleration.scoring import Record, Scorer, Scores
from deltadistill.acceleration.trial import NO_TIME, Trial


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
    one, other = (Scores([[Record(0, each)] for each in values]) for values in ([1, 2, 3], [4, 5, 6]))
    found = one.with_others(other, 2)
    assert [[record.agreement for record in records] for records in found.by_distance] == [[1, 4], [2, 5]]
    assert one.with_others(Scores(), 2).by_distance == one.by_distance[:2]


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


class Working:
    """Answers that take a second each, on a clock."""

    def __init__(self):
        self.now = 0.0

    def begin(self, frame):
        self.now += 1.0
        return 1.0

    next_one = begin

    def __call__(self):
        return self.now


@pytest.mark.parametrize(("seconds", "passed"), [(7, 0), (8, 8), (23, 16), (24, 24), (40, 40)])
def test_no_sequence_is_begun_that_would_not_end_in_time(case, seconds, passed):
    case, way = replace(case, periods=(2, 8)), Working()  # 8 frames to choose by, one sequence
    base = SimpleNamespace(
        scorer=lambda case: Scorer(case, Share(), SimpleNamespace(begin=lambda frame: 1.0))
    )
    case = replace(case, parts=replace(case.parts, choosing=case.parts.learning))
    trial = Trial("slow", "copied", parts_ms={"filled": 1000.0})
    found = Judge(case, base, Budget(seconds, clock=way)).judged(way, trial)
    assert way.now == passed
    assert (found.ended == NO_TIME) == (passed < 3 * 8)
    assert bool(found.kept) == (passed >= 3 * 8)
