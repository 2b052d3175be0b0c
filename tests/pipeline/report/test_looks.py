"""How variants are drawn: apart from one another, families together, in colours that the page has."""

import re
from importlib.resources import files
from itertools import combinations

import pytest

from deltadistill.pipeline.report.figures.looks import css_colours, looks
from deltadistill.pipeline.results.variants import NOUNS, Variant

SEARCH = "teacher finetuned small delta delta_055 delta_059 delta_070 compressed_gamma3 compressed_gamma2 "
SEARCH += "feature feature_059 feature_070 copy"
STUDENTS = "teacher finetuned delta linear_data linear_random channel spatial channel_spatial copy"


def variants(names, **changes):
    """Variants of the role that their names begin with, else ours, as today's experiments have them."""
    roles = {noun: role for role, noun in NOUNS.items()}
    return {n: Variant("stream", roles.get(n.split("_")[0], "ours"), n, **changes) for n in names}


@pytest.mark.parametrize("names", [SEARCH, STUDENTS])
def test_no_two_variants_of_a_report_look_alike(names):
    found = looks(variants(names.split()))
    for (first, a), (second, b) in combinations(found.items(), 2):
        assert a.color != b.color, f"{first} and {second} share a colour, the only mark of a bar"
        if first.split("_")[0] == second.split("_")[0]:
            assert a.marker != b.marker


def test_a_family_keeps_its_hue():
    found = looks(variants(SEARCH.split()))
    assert found["delta"].css == "var(--v-delta)"
    assert all("--v-delta" in found[name].css for name in ("delta_055", "delta_059", "delta_070"))
    assert all("--v-feature" in found[name].css for name in ("feature_059", "feature_070"))
    assert "--v-more-0" in found["compressed_gamma3"].css
    assert "--v-more-0" in found["compressed_gamma2"].css


def test_more_members_than_shades_differ_in_their_markers():
    found = looks(variants(f"delta_{i}" for i in range(12))).values()
    assert len({(look.color, look.marker) for look in found}) == 12


def test_the_page_knows_every_colour_in_both_schemes():
    css = (files("deltadistill.pipeline.report") / "templates" / "page.css").read_text()
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    used = {name for text in css_colours().values() for name in re.findall(r"var\((--[\w-]+)\)", text)}
    for name in used:
        assert f"{name}: #" in light
        assert f"{name}: #" in dark


def test_a_colour_of_its_own_is_taken_as_it_is_and_leaves_the_others_theirs():
    plain = variants(SEARCH.split())
    found = looks(plain | {"mine": Variant("stream", "rival", "Mine", "#123456")})
    assert found["mine"].color == found["mine"].css == "#123456"
    assert {name: look for name, look in found.items() if name != "mine"} == looks(plain)


def test_a_role_has_its_hue_whatever_its_variant_is_called():
    found = looks({"x": Variant("stream", "ours", "x"), "y": Variant("per_frame", "teacher", "y")})
    assert (found["x"].css, found["y"].css) == ("var(--v-delta)", "var(--v-teacher)")


def test_a_training_that_no_variant_is_of_takes_a_spare_hue():
    assert "--v-more-0" in looks(variants(["delta"]), also=["delta", "alone"])["alone"].css
