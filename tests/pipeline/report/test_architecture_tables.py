"""What the search found, over seeds: counted, compared and laid out by hand."""

import dataclasses
import json
from pathlib import Path

import pytest

from deltadistill.pipeline.report.architecture_tables import agreement_table, architecture_tables
from deltadistill.pipeline.results.agreement import agreements
from deltadistill.pipeline.results.records import Architecture, ArchitectureLayer
from deltadistill.pipeline.results.results import Distilled

COMMITTED = Path(__file__).parents[3] / "results/street_seeds/per_seed"


def network(pattern):
    """One block a letter: c is compressed, u is not."""
    candidates = {"c": ("compressed", 2_000_000), "u": ("uncompressed", 10_000_000)}
    layers = [
        ArchitectureLayer(f"l{i}", "stem", candidates[letter][0], 10_000_000, candidates[letter][1], 0.5)
        for i, letter in enumerate(pattern)
    ]
    return Distilled(curve=(), architecture=Architecture(tuple(layers), "delta"), layers=None)


@pytest.fixture
def results(tree, read):
    def of(**patterns):
        distilled = {name: dict(enumerate(map(network, seeds))) for name, seeds in patterns.items()}
        return dataclasses.replace(read(tree), distilled=distilled)

    return of


def test_agreement_and_chance_are_worked_by_hand(results):
    (found,) = agreements(results(delta=("cccu", "ccuu")))
    assert found.share == pytest.approx(3 / 4)
    assert found.by_chance == pytest.approx(3 / 4 * 1 / 2 + 1 / 4 * 1 / 2)


def test_each_two_seeds_are_compared_once(results):
    found = agreements(results(delta=("cu", "cu", "uc")))
    assert [(each.seeds, each.share) for each in found] == [((0, 1), 1), ((0, 2), 0), ((1, 2), 0)]


def test_where_nothing_was_searched_or_repeated_there_is_no_agreement(results):
    assert agreement_table(results(compressed=("cc", "cc"))) is None
    assert agreement_table(results(delta=("cu",))) is None


def test_committed_seeds_agree_beyond_chance(results):
    names = sorted(COMMITTED.glob("seed*/distill/delta/architecture.json"))
    letters = {"compressed": "c", "uncompressed": "u"}
    patterns = [
        "".join(letters[layer["candidate"]] for layer in json.loads(path.read_text())["layers"])
        for path in names
    ]
    found = agreements(results(delta=patterns))
    assert len(found) == 3
    assert all(each.share > each.by_chance for each in found)


def test_a_layer_says_in_how_many_seeds_it_is_compressed(results):
    (table,) = architecture_tables(results(delta=("cu", "cc", "cu")))
    assert table.caption == "delta, seeds 0, 1, 2: 1, 2 and 1 of 2 converted layers are compressed."
    assert table.rows[0][2:] == ("3 of 3 seeds", "0.500", "10.00", "2.00")
    assert table.rows[1][2:] == ("1 of 3 seeds", "0.500", "10.00", "7.33")


def test_a_single_seed_names_the_candidate(results):
    (table,) = architecture_tables(results(delta=("cu",)))
    assert table.caption == "delta, seed 0: 1 of 2 converted layers are compressed."
    assert [row[2] for row in table.rows] == ["compressed", "uncompressed"]
