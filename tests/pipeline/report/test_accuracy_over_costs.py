"""Delta against feature distillation over costs: lines through what was searched, points for the rest."""

import dataclasses

import pytest

from deltadistill.pipeline.report.figures import accuracy_over_costs
from deltadistill.pipeline.report.figures.cost_axis import MACS, TIME
from deltadistill.pipeline.results.summary import Point, summarise


def with_variant(results, summary, name, *, like, gmacs, everything_compressed=False):
    """Add a stream that costs ``gmacs`` at T = 3."""
    runs = results.distilled[like]
    if everything_compressed:
        runs = {seed: compress(run) for seed, run in runs.items()}
    points = {3: Point(score=70.0, gmacs=gmacs, macs_ratio=gmacs / 0.316, ms=20 * gmacs)}
    alike = dataclasses.replace(results.variants[like], label=name)
    variants, distilled = {**results.variants, name: alike}, {**results.distilled, name: runs}
    return (
        dataclasses.replace(results, variants=variants, distilled=distilled),
        dataclasses.replace(summary, variants={**summary.variants, name: points}),
    )


def compress(run):
    layers = [dataclasses.replace(layer, candidate="compressed") for layer in run.architecture.layers]
    return dataclasses.replace(run, architecture=dataclasses.replace(run.architecture, layers=tuple(layers)))


@pytest.fixture(scope="module")
def measured(street, read):
    results = read(street)
    return results, summarise(results)


def drawn_lines(results, summary):
    (axes,) = accuracy_over_costs.draw(results, summary, MACS).axes
    return {container.get_label(): container.lines[0] for container in axes.containers}


def test_one_variant_a_method_is_no_range_of_costs(measured):
    assert not accuracy_over_costs.covers_costs(*measured)
    assert accuracy_over_costs.covers_costs(*with_variant(*measured, "delta_070", like="delta", gmacs=0.22))


def test_a_line_joins_the_searched_variants_of_a_method_by_cost(measured):
    lines = drawn_lines(*with_variant(*measured, "delta_040", like="delta", gmacs=0.12))
    cheapest, dearest = lines["delta"].get_xdata()
    assert cheapest == 0.12
    assert dearest == measured[1].variants["delta"][3].gmacs
    assert set(lines) == {"delta", "feature", "small", "finetuned", "copy"}


def test_an_everything_compressed_network_stands_alone(measured):
    more = with_variant(*measured, "compressed", like="delta", gmacs=0.2, everything_compressed=True)
    lines = drawn_lines(*more)
    assert list(lines["compressed"].get_xdata()) == [0.2]
    assert len(lines["delta"].get_xdata()) == 1


def test_seeds_give_error_bars(measured):
    (axes,) = accuracy_over_costs.draw(*measured, MACS).axes
    assert all(container.has_yerr for container in axes.containers)


def test_over_time_only_what_was_timed_is_drawn(measured):
    assert not accuracy_over_costs.covers_times(*measured)
    results, summary = with_variant(*measured, "delta_070", like="delta", gmacs=0.22)
    assert accuracy_over_costs.covers_times(results, summary)
    untimed = {3: dataclasses.replace(summary.variants["copy"][3], ms=None)}
    summary = dataclasses.replace(summary, variants={**summary.variants, "copy": untimed})
    (axes,) = accuracy_over_costs.draw(results, summary, TIME).axes
    lines = {container.get_label(): container.lines[0].get_xdata() for container in axes.containers}
    assert set(lines) == {"delta", "feature", "small", "finetuned"}
    assert list(lines["small"]) == [9.1 / 2]  # in the faster engine
