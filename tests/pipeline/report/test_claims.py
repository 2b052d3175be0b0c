"""The claims: bounds as published, verdicts by the numbers."""

import pytest

from deltadistill.metrics.measures import MAP50
from deltadistill.pipeline.results.claim_rules import AFTERWARDS
from deltadistill.pipeline.results.claims import judge
from deltadistill.pipeline.results.equal_cost import Pair
from deltadistill.pipeline.results.scores import Score
from deltadistill.pipeline.results.variants import NOUNS, Variant

BEST = {
    "teacher": dict.fromkeys((1, 3, 10), (75.5, 1.0, 82.0)),
    "finetuned": dict.fromkeys((1, 3, 10), (76.0, 1.0, 83.0)),
    "delta": {1: (76.0, 1.0, 83.5), 3: (75.5, 0.50, 84.0), 10: (73.0, 0.284, 84.0)},
    "feature": {1: (76.0, 1.0, 83.0), 3: (66.0, 0.5, 65.0), 10: (55.0, 0.28, 75.0)},
    "small": dict.fromkeys((1, 3, 10), (74.5, 0.47, 82.0)),
    "copy": {
        1: (76.0, 1.0, 83.0),
        2: (74.5, 0.50, 82.0),
        3: (73.0, 0.33, 81.0),
        4: (70.0, 0.28, 82.0),
        10: (60.0, 0.10, 84.0),
    },
}


PAIRS = (Pair("delta", "feature"),)
VARIANTS = {noun: Variant("stream", role, noun) for role, noun in NOUNS.items()}


def scores(changed=(), *, seeds=(0,)):
    table = {name: dict(by_length) for name, by_length in BEST.items()}
    for name, length, values in changed:
        table[name][length] = values
    return {
        name: {
            t: {s: Score(m, 0.3 * ratio, ratio, c) for s in seeds} for t, (m, ratio, c) in by_length.items()
        }
        for name, by_length in table.items()
    }


def verdicts(table, reference="labels", pairs=PAIRS):
    return {
        claim.name: claim.verdict for claim in judge(table, VARIANTS, reference=reference, equal_cost=pairs)
    }


def test_all_claims_hold_on_the_paper_s_side_of_each_bound():
    assert set(verdicts(scores()).values()) == {"holds"}


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        ("half the compute", ("delta", 3, (75.5, 0.501, 84.0))),
        ("accuracy kept", ("delta", 3, (74.99, 0.5, 84.0))),
        ("ahead of feature distillation", ("feature", 3, (70.6, 0.5, 65.0))),
        ("ahead of a cheaper network", ("small", 3, (74.6, 0.47, 82.0))),
        ("ahead of copying", ("copy", 3, (73.6, 0.33, 81.0))),
        ("ahead of copying", ("copy", 10, (65.1, 0.1, 84.0))),
        ("ahead of copying at equal cost", ("copy", 2, (75.5, 0.5, 82.0))),
        ("ahead of copying at equal cost", ("copy", 4, (73.0, 0.28, 82.0))),
        ("a quarter of the compute", ("delta", 10, (73.0, 0.285, 84.0))),
        ("steadier predictions", ("delta", 3, (75.5, 0.5, 83.0))),
        ("steadier teacher", ("delta", 1, (76.0, 1.0, 82.9))),
        ("robust to long sequences", ("copy", 10, (73.5, 0.1, 84.0))),
        ("a teacher worth distilling", ("teacher", 1, (74.99, 1.0, 82.0))),
    ],
)
def test_a_claim_that_misses_its_bound_by_a_hair_does_not_hold(claim, change):
    assert verdicts(scores([change]))[claim] == "does not hold"


BOXES = {  # what delta has to reach on boxes, each figure on its bound
    ("finetuned", 3): (76.0, 1.0, 83.0),
    ("delta", 3): (74.0, 0.55, 84.0),
    ("delta", 10): (66.0, 0.40, 84.0),
    ("feature", 3): (72.0, 0.55, 65.0),
    ("copy", 3): (73.0, 0.33, 81.0),
    ("copy", 10): (61.0, 0.10, 84.0),
}


def box_verdicts(**changed):
    figures = BOXES | {(name[:-1], int(name[-1]) or 10): values for name, values in changed.items()}
    table = scores([(*place, values) for place, values in figures.items()])
    return {claim.name: claim.verdict for claim in judge(table, VARIANTS, reference="labels", measure=MAP50)}


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        ("half the compute", {"delta3": (74.0, 0.551, 84.0)}),
        ("half the compute", {"delta0": (66.0, 0.401, 84.0)}),
        ("accuracy kept", {"delta3": (73.99, 0.55, 84.0)}),
        ("ahead of feature distillation", {"feature3": (72.01, 0.55, 65.0)}),
        ("ahead of copying", {"copy3": (73.01, 0.33, 81.0)}),
        ("ahead of copying", {"copy0": (61.01, 0.10, 84.0)}),
    ],
)
def test_boxes_have_bounds_of_their_own(claim, change):
    assert box_verdicts()[claim] == "holds"
    assert box_verdicts(**change)[claim] == "does not hold"


def test_shares_of_macs_at_several_lengths_name_them():
    (claim, *_) = judge(scores(), VARIANTS, reference="labels", measure=MAP50)
    assert claim.figures == "0.500 at T = 3 and 0.284 at T = 10 of the teacher's MACs"
    assert claim.bound == "at most 0.55 at T = 3 and 0.40 at T = 10 of the teacher's MACs"


def test_a_claim_about_a_variant_that_was_not_run_is_not_measured():
    table = scores()
    del table["feature"]
    found = verdicts(table)
    assert found["ahead of feature distillation"] == "not measured"
    assert found["robust to long sequences"] == "not measured"
    assert found["half the compute"] == "holds"


def test_a_claim_about_a_length_that_was_not_measured_is_not_measured():
    table = scores()
    del table["delta"][10]
    assert verdicts(table)["ahead of copying"] == "not measured"


def test_consistency_that_was_not_measured_is_not_zero():
    assert verdicts(scores([("delta", 3, (75.5, 0.5, None))]))["steadier predictions"] == "not measured"


def test_without_labels_nothing_is_said_about_the_teacher_s_accuracy():
    assert verdicts(scores(), reference="teacher")["a teacher worth distilling"] == "not measured"


def test_figures_carry_the_spread_of_paired_differences():
    table = scores(seeds=(0, 1, 2))
    table["delta"][3] = {s: Score(75.0 + s, 0.15, 0.5, 84.0) for s in range(3)}
    figures = {claim.name: claim.figures for claim in judge(table, VARIANTS, reference="labels")}
    assert figures["accuracy kept"] == (
        "delta 76.00, finetuned 76.00: +0.00 ± 1.00 (3 seeds, within the spread of the seeds)"
    )
    assert figures["ahead of feature distillation"] == "T = 3: +10.00 ± 1.00 (3 seeds)"


def test_one_seed_is_said_to_be_one():
    figures = {claim.name: claim.figures for claim in judge(scores(), VARIANTS, reference="labels")}
    assert figures["ahead of feature distillation"] == "T = 3: +9.50 (one seed)"


def test_a_search_that_loses_one_of_its_pairs_does_not_hold():
    pairs = (Pair("delta", "feature"), Pair("delta", "small"))
    assert verdicts(scores(), pairs=pairs)["a search worth its steps"] == "holds"
    found = verdicts(scores([("small", 3, (75.5, 0.5, 82.0))]), pairs=pairs)
    assert found["a search worth its steps"] == "does not hold"


def test_without_networks_of_equal_cost_the_search_is_not_judged():
    assert verdicts(scores(), pairs=())["a search worth its steps"] == "not measured"


def test_copying_at_equal_cost_is_named_by_its_length():
    figures = {
        claim.name: claim.figures for claim in judge(scores(seeds=(0, 1)), VARIANTS, reference="labels")
    }
    assert figures["ahead of copying at equal cost"] == (
        "delta T = 3 against copy T = 2: +1.00 ± 0.00 (2 seeds); "
        "delta T = 10 against copy T = 4: +3.00 ± 0.00 (2 seeds)"
    )


def test_copying_that_costs_another_amount_is_not_compared_at_equal_cost():
    found = verdicts(scores([("copy", 4, (70.0, 0.284 * 0.95 - 1e-6, 82.0))]))
    assert found["ahead of copying at equal cost"] == "not measured"
    table = scores()
    del table["copy"]
    assert verdicts(table)["ahead of copying at equal cost"] == "not measured"


def test_the_bound_that_came_after_the_first_measurements_says_so():
    bounds = {claim.name: claim.bound for claim in judge(scores(), VARIANTS, reference="labels")}
    assert [name for name, bound in bounds.items() if AFTERWARDS in bound] == [
        "ahead of copying at equal cost"
    ]


def test_a_rule_is_about_a_role_whatever_the_variant_is_called():
    table = {"mine": scores()["delta"]} | {n: s for n, s in scores().items() if n != "delta"}
    variants = {"mine": Variant("stream", "ours", "My method")} | VARIANTS
    found = {claim.name: claim for claim in judge(table, variants, reference="labels")}
    assert found["accuracy kept"].verdict == "holds"
    assert found["accuracy kept"].figures.startswith("My method 75.50, finetuned 76.00")
    assert found["steadier predictions"].bound.startswith("consistency of My method at T = 3 above")


def test_of_two_variants_in_one_role_the_first_is_judged():
    table = scores() | {"worse": scores([("delta", 3, (10.0, 1.0, 10.0))])["delta"]}
    second = VARIANTS | {"worse": Variant("stream", "ours", "worse")}
    first = {"worse": Variant("stream", "ours", "worse")} | VARIANTS
    judged = [
        {claim.name: claim.verdict for claim in judge(table, variants, reference="labels")}
        for variants in (second, first)
    ]
    assert [found["half the compute"] for found in judged] == ["holds", "does not hold"]


def test_a_role_that_nobody_has_is_not_measured():
    variants = {name: variant for name, variant in VARIANTS.items() if name != "copy"}
    found = {claim.name: claim for claim in judge(scores(), variants, reference="labels")}
    assert found["ahead of copying"].verdict == "not measured"
    assert found["ahead of copying"].figures == "copy at T = 3 was not run in this experiment"
