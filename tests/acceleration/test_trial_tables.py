"""The page's tables: a few rows to choose from, all others folded."""

from dataclasses import replace

from acceleration.test_choice import PLAIN, trial

from deltadistill.acceleration.choice import choose
from deltadistill.acceleration.figure import figure
from deltadistill.acceleration.trial_tables import trial_tables, worth_choosing

DELTA = trial("delta", {2: (1.6, 0.98), 5: (2.5, 0.9)})
MOVED = trial("moved", {2: (2.0, 0.99), 5: (4.0, 0.7)})  # its period of 2 beats the other's


def test_worth_choosing_is_what_nothing_faster_keeps_as_much_as_the_fastest_first():
    found = worth_choosing([PLAIN, DELTA, MOVED])
    assert [(each.trial, each.period) for each in found] == [
        (MOVED, 5),
        (DELTA, 5),
        (MOVED, 2),
        (PLAIN, 1),
    ]


def test_what_is_beaten_is_folded_with_why_trials_ended():
    ended = replace(trial("copied", {}), ended="not enough time")
    trials = [PLAIN, DELTA, MOVED, ended]
    taken = choose(trials, asked=0.95).taken
    shown, folded = trial_tables(trials, taken, frame_ms=10.0).split("<details>")
    assert shown.count("<tr") == 1 + 4
    assert folded.count("<tr") == 1 + 5 + 1
    assert "<summary>All 5 points of 4 ways</summary>" in folded
    assert "copied: not enough time" in folded
    assert shown.count('class="taken"') == folded.count('class="taken"') == 1
    assert "<td>×1.60</td>" not in shown


def test_a_choice_that_is_beaten_on_the_whole_is_shown_all_the_same():
    careful = trial("delta", {3: (1.9, 0.985)}, name="careful")  # what was taken for its lower end
    taken = worth_choosing([careful])[0]
    shown = trial_tables([PLAIN, MOVED, careful], taken, frame_ms=10.0).split("<details>")[0]
    assert shown.index("×2.00") < shown.index("careful") < shown.index("×1.00")


def test_scores_against_the_truth_have_columns_of_their_own():
    scored = replace(DELTA, scores={2: 0.9, 5: 0.8})
    taken = worth_choosing([scored])[0]
    assert "<th>score</th>" in trial_tables([PLAIN, scored], taken, frame_ms=10.0)
    assert "<th>score</th>" not in trial_tables([PLAIN, DELTA], taken, frame_ms=10.0)


def test_the_figure_has_a_step_for_every_point_worth_choosing():
    trials = [PLAIN, DELTA, MOVED]
    svg = figure(trials, choose(trials, asked=0.95), frame_ms=10.0, asked=0.95, what="mIoU")
    path = svg.split('<path d="')[1].split('"')[0]
    assert path.count("M") + path.count("H") == 4
