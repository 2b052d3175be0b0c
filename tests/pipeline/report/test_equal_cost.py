"""Pairs of a searched and an everything-compressed network of equal MACs."""

import dataclasses

import pytest

from deltadistill.pipeline.results.equal_cost import Pair, equal_cost_pairs
from deltadistill.pipeline.results.results import Distilled
from deltadistill.pipeline.results.scores import Score
from deltadistill.pipeline.results.training_files import Architecture, ArchitectureLayer
from deltadistill.pipeline.results.variants import Variant


def network(*candidates, predicts="delta"):
    layers = [ArchitectureLayer(f"l{i}", "stem", name, 10, 2) for i, name in enumerate(candidates)]
    return {
        0: Distilled(
            curve=(), architecture=Architecture(layers=tuple(layers), predicts=predicts), layers=None
        )
    }


SEARCHED = network("compressed", "uncompressed")
EVERYTHING = network("compressed", "compressed")


@pytest.fixture
def pairs(tree, read):
    results = read(tree)

    def found(distilled, costs):
        roles = {"feature": "feature", "small": "small"}
        variants = {name: Variant("stream", roles.get(name, "ours"), name) for name in distilled}
        table = {name: {3: {0: Score(75, 0.1, cost, None)}} for name, cost in costs.items()}
        return equal_cost_pairs(dataclasses.replace(results, variants=variants, distilled=distilled), table)

    return found


@pytest.mark.parametrize(("cost", "expected"), [(0.510, True), (0.500, True), (0.489, False), (0.511, False)])
def test_costs_are_equal_within_two_percent(pairs, cost, expected):
    found = pairs({"delta": SEARCHED, "compressed": EVERYTHING}, {"delta": 0.5, "compressed": cost})
    assert found == ((Pair("delta", "compressed"),) if expected else ())


def test_a_search_that_compressed_everything_is_no_rival_of_itself(pairs):
    assert pairs({"delta": EVERYTHING, "compressed": EVERYTHING}, {"delta": 0.5, "compressed": 0.5}) == ()


def test_feature_students_and_networks_without_students_pair_with_nothing(pairs):
    feature = network("compressed", "compressed", predicts="feature")
    plain = {0: Distilled(curve=(), architecture=None, layers=None)}
    names = ("delta", "feature", "small")
    assert pairs(dict(zip(names, (SEARCHED, feature, plain), strict=True)), dict.fromkeys(names, 0.5)) == ()


def test_a_length_that_was_not_measured_pairs_nothing(tree, read):
    assert equal_cost_pairs(read(tree), {"delta": {}, "feature": {}}) == ()
