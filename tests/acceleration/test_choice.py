"""Which trial is taken, worked out by hand."""

from dataclasses import replace

from deltadistill.acceleration.choice import choose, is_dominated, is_hopeless, likeliest
from deltadistill.acceleration.trial import Trial, from_json


def trial(kind, table, *, name="", precision="fp32"):
    """table: period → (speed-up, kept)."""
    speedups = {period: pair[0] for period, pair in table.items()}
    kept = {period: pair[1] for period, pair in table.items()}
    kinds = {"fidelities": kept, "kept": kept, "lower": kept}
    return Trial(name or kind, kind, "onnxruntime", precision, speedups=speedups, **kinds)


PLAIN = trial("per frame", {1: (1.0, 1.0)})


def test_the_fastest_that_keeps_what_is_asked_is_taken():
    delta = trial("delta", {2: (1.3, 0.99), 5: (1.8, 0.981), 10: (2.2, 0.95)})
    choice = choose([PLAIN, delta], asked=0.98)
    assert (choice.taken.trial, choice.taken.period) == (delta, 5)
    assert choice.is_faster


def test_where_nothing_is_faster_the_fastest_per_frame_run_is_taken():
    other = trial("per frame", {1: (1.4, 1.0)}, name="the other engine")
    choice = choose([PLAIN, other, trial("delta", {5: (1.3, 0.99), 10: (1.6, 0.9)})], asked=0.98)
    assert choice.taken.trial is other
    assert not choice.is_faster


def test_a_lower_precision_that_does_not_keep_what_is_asked_is_not_taken():
    coarse = trial("per frame", {1: (3.0, 0.97)}, precision="int8")
    assert choose([PLAIN, coarse], asked=0.98).taken.trial is PLAIN
    assert choose([PLAIN, coarse], asked=0.95).taken.trial is coarse


def test_a_delta_network_must_beat_the_fastest_precision_as_well():
    coarse = trial("per frame", {1: (2.0, 0.99)}, precision="bf16")
    delta = trial("delta", {10: (1.9, 0.99)})
    assert choose([PLAIN, coarse, delta], asked=0.98).taken.trial is coarse


def test_copied_answers_that_are_fastest_are_taken():
    copied = trial("copied", {2: (2.0, 0.99), 3: (3.0, 0.9)})
    choice = choose([PLAIN, copied, trial("delta", {5: (1.5, 0.99)})], asked=0.98)
    assert (choice.taken.trial, choice.taken.period) == (copied, 2)


def test_of_two_that_are_equally_fast_the_more_faithful_one_is_taken():
    one, other = trial("delta", {5: (1.5, 0.985)}), trial("delta", {5: (1.5, 0.99)})
    assert choose([PLAIN, one, other], asked=0.98).taken.trial is other


def test_a_trial_is_dominated_where_others_are_as_fast_and_more_faithful_at_every_point():
    good = trial("delta", {5: (2.0, 0.95), 10: (3.0, 0.9)})
    assert is_dominated(trial("delta", {5: (1.9, 0.9), 10: (2.5, 0.8)}), [good])
    assert not is_dominated(trial("delta", {5: (1.9, 0.9), 10: (3.5, 0.8)}), [good])
    assert not is_dominated(trial("delta", {5: (1.9, 0.9)}), [trial("copied", {5: (5.0, 0.99)})])


def test_a_trial_is_hopeless_where_nothing_that_saves_time_comes_near():
    assert is_hopeless(trial("delta", {2: (0.9, 0.97), 5: (1.5, 0.5)}), asked=0.98, within=0.3)
    assert not is_hopeless(trial("delta", {2: (1.1, 0.7)}), asked=0.98, within=0.3)


def test_a_trial_that_was_written_is_read_again():
    delta = trial("delta", {5: (1.5, 0.9)})
    assert from_json(delta.as_json()) == delta


def test_students_on_every_frame_are_no_delta_network():
    # The likeliest delta network is distilled further, and where none was tried that is said.
    alone = replace(trial("students", {1: (3.0, 0.99)}), design="gamma4-all-alone")
    delta = replace(trial("delta, moved", {5: (1.5, 0.99)}), design="gamma8-spatial")
    noted = trial("delta", {})  # of an engine that failed
    assert [each.is_delta for each in (alone, delta, noted, PLAIN)] == [False, True, False, False]
    assert likeliest([PLAIN, alone], asked=0.98) is None
