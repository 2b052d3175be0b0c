"""Key frames where the picture has changed: thresholds and what they keep, worked out by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from acceleration.conftest import SIZE, shot
from acceleration.test_judging import Share

from deltadistill.acceleration import adaptive
from deltadistill.acceleration.adaptive import by_change, changes, lengths, tried_by_change, usual
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.footage import Parts, pieces
from deltadistill.acceleration.judging import Judge, Try
from deltadistill.acceleration.scoring import Scorer
from deltadistill.acceleration.trial import Point, Trial
from deltadistill.blocks.schedules import Adaptive

LEVELS = [0, 4, 4, 6, 11, 5, 6, 1]  # changes 4, 0, 2, 5, 6, 1, 5


def grey(levels):
    return [np.full((*SIZE, 3), level, np.uint8) for level in levels]


def filmed(case, levels, **more):
    return replace(case, parts=Parts([], [shot(grey(levels))], []), **more)


ONES = SimpleNamespace(begin=lambda frame: 1.0)


class Way:
    """Right where the picture is as on the key frame."""

    def begin(self, frame):
        self._key = int(frame[0, 0, 0])
        return 1.0

    def next_one(self, frame):
        return float(frame[0, 0, 0] == self._key)


def test_changes_are_mean_absolute_differences():
    assert changes(grey(LEVELS)).tolist() == [4, 0, 2, 5, 6, 1, 5]


@pytest.mark.parametrize("threshold", [1, 5, 6, 10, 100])
@pytest.mark.parametrize("longest", [2, 3, 100])
def test_sequences_are_those_of_the_schedule_that_a_runner_has(threshold, longest):
    schedule, found = Adaptive(threshold, longest=longest), []
    for number, frame in enumerate(grey(LEVELS)):
        if is_key := schedule.is_due(frame[None]):
            found.append(number)
        schedule.note(frame[None], is_key=is_key)
    expected = np.diff([*found, len(LEVELS)]).tolist()
    assert lengths(np.array([4, 0, 2, 5, 6, 1, 5]), threshold, longest) == expected


def test_a_threshold_gives_about_a_key_frame_a_period(case):
    by = by_change(filmed(case, list(range(0, 240, 3))))  # 3 grey levels a frame
    threshold = by.threshold(4)
    assert len(lengths(by.changes[0], threshold, 8)) == 80 / 4
    assert by_change(filmed(case, [7] * 20)).threshold(4) is None


def test_what_is_kept_counts_all_frames_from_key_frame_to_key_frame(case):
    by = by_change(case := filmed(case, [0, 0, 0, 9, 9, 9, 9, 50]))
    scorer = Scorer(case, Share(), ONES)
    scores, found = by.answered(Way(), scorer, 20.0)
    assert found == [7, 1]  # 9 does not reach 20, 9 + 41 does
    assert scores.fidelity(Share(), 1) == 4 / 8


def trial(kept):
    kinds = {"kept": kept, "fidelities": kept, "lower": kept}
    return Trial("moved", "moved", speedups={2: 1.5, 4: 2.0}, ended="far", **kinds)


def test_periods_go_up_from_the_longest_that_fixed_distances_keep_until_one_is_not_kept(case):
    case = filmed(case, [0] * 6 + [90] * 6 + [180] * 6, periods=(2, 4, 6, 9), asked=0.9)
    scorer = Scorer(case, Share(), ONES)
    by, first = by_change(case), trial({2: 1.0, 4: 0.95, 6: 0.8})
    found = tried_by_change(by, Way(), first, scorer, lambda lengths: 1.0 * len(lengths), lambda: True)
    assert found.name == "moved, key frames by change"
    assert (found.ended, found.is_by_change) == ("", True)
    # Key frames where the picture jumps, three in 18 frames, are right; two are not.
    assert found.kept == pytest.approx({4: 1.0, 6: 1.0, 9: 12 / 18})
    assert found.key_shares == pytest.approx({4: 3 / 18, 6: 3 / 18, 9: 2 / 18})
    assert found.speedups == {4: 3.0, 6: 3.0, 9: 2.0}
    assert Point(found, 6, 3.0, 1.0, 1.0, 1.0, None).threshold == found.thresholds[6]
    assert tried_by_change(by, Way(), first, scorer, len, lambda: False) is None


def test_only_a_way_that_is_near_the_fastest_is_tried_once_more(case):
    case = filmed(case, list(range(0, 240, 3)), asked=0.9)
    base = SimpleNamespace(scorer=lambda case: Scorer(case, Share(), ONES))
    judge = Judge(case, base, Budget(100), by_change(case))
    plain = replace(trial({1: 1.0}), name="plain", kind="per frame", speedups={1: 1.0})

    def tries(speedup, kept=0.95):
        found = replace(trial({2: kept}), name="a", speedups={2: speedup})
        return [Try(replace(found, parts_ms={"frame": 1.0}), Way, lambda lengths: 1.0)]

    fast = replace(trial({2: 1.0}), name="b", kind="delta", speedups={2: 2.0})
    assert len(list(judge.by_change(tries(1.6), [plain, fast]))) == 1
    assert not list(judge.by_change(tries(1.4), [plain, fast]))
    assert not list(judge.by_change(tries(1.6, kept=0.87), [plain, fast]))
    late = Judge(case, base, Budget(0.01), by_change(case))
    assert not list(late.by_change(tries(1.6), [plain]))


def test_a_runner_is_timed_where_key_frames_are_as_frequent_as_on_the_whole(case):
    case = filmed(case, [0] * 30 + list(range(0, 120, 4)))
    point = Point(
        replace(trial({4: 1.0}), thresholds={4: 12.0}, key_shares={4: 1 / 6}), 4, 2.0, 1.0, 1.0, 1.0, None
    )
    frames = usual(case, point)
    assert len(frames) == 12
    assert len(lengths(changes(frames), 12.0, 8)) == 2
    assert len(usual(case, Point(trial({4: 1.0}), 4, 2.0, 1.0, 1.0, 1.0, None))) == 4


def test_shots_are_cut_into_pieces_that_are_spread():
    film = shot(grey(range(250)))
    assert [len(each) for each in pieces([film], longest=100, frames=240)] == [83, 83, 84]
    taken = pieces([film], longest=10, frames=40)
    assert [each.numbers[0] for each in taken] == [0, 160, 80, 240]


def test_watching_is_what_a_schedule_does_with_each_frame(case):
    watch = adaptive.watching(filmed(case, LEVELS))
    for _ in range(9):
        watch()
