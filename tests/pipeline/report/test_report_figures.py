"""The figures: every variant is drawn, on the page they follow the reader's colours."""

import dataclasses
import re
from itertools import pairwise

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox
from PIL import Image

from deltadistill.pipeline.report.drawings import drawings
from deltadistill.pipeline.report.figures import (
    accuracy_against_cost,
    against_length,
    compressed_share,
    distillation_error,
    labels,
    latency,
    style,
)
from deltadistill.pipeline.report.figures.cost_axis import TIME
from deltadistill.pipeline.results.summary import summarise
from deltadistill.pipeline.results.training_files import Architecture, ArchitectureLayer, LayerError

ALL = {
    "accuracy_against_length",
    "accuracy_against_macs",
    "accuracy_against_time",
    "accuracy_against_distance",
    "consistency_against_length",
    "training_curves",
    "latency",
    "compressed_share",
    "distillation_error",
}


@pytest.fixture(scope="module")
def drawn(street, read):
    results = read(street)
    return drawings(results, summarise(results))


def test_every_figure_is_drawn(drawn):
    assert set(drawn) == ALL


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_figure_on_the_page_has_no_colours_fonts_or_ids_of_its_own(drawn, name):
    svg = drawn[name].svg
    assert svg.startswith("<svg viewBox=")
    assert f'aria-label="{drawn[name].alt}"' in svg
    colours = set(re.findall(r"#[0-9a-f]{6}\b", svg)) - {"#000000", "#ffffff"}
    assert not colours, f"{colours} do not follow the page's colour scheme"
    assert "font-family" not in svg
    assert "<style" not in svg


def test_the_time_axis_has_the_fastest_engine_of_each_variant_and_leaves_out_what_was_not_timed(street, read):
    summary = summarise(read(street))
    summary.variants["small"][1] = dataclasses.replace(summary.variants["small"][1], ms=None)
    (axes,) = accuracy_against_cost.draw(summary, TIME).axes
    across = {container.get_label(): container.lines[0].get_xdata() for container in axes.containers}
    assert list(across["teacher"]) == [9.1]
    assert across["delta"][2] == pytest.approx((10.7 + 2 * 4.85) / 3, abs=1e-4)  # T = 3
    assert across["copy"][-1] == pytest.approx(0.91)


def with_a_rival(summary):
    rival = dataclasses.replace(summary.shown["copy"], role="rival")
    return dataclasses.replace(summary, shown={**summary.shown, "copy": rival})


def test_among_rivals_the_front_is_marked_and_told(street, read):
    results = read(street)
    summary = summarise(results)
    assert "Pareto" not in drawings(results, summary)["accuracy_against_macs"].caption
    summary = with_a_rival(summary)
    (axes,) = accuracy_against_cost.draw(summary, TIME).axes
    (marked,) = [line for line in axes.lines if line.get_label() == accuracy_against_cost.FRONT]
    costs, scores = marked.get_data()
    assert all(a < b for a, b in pairwise(costs))
    assert all(a < b for a, b in pairwise(scores))
    every = [point for points in summary.variants.values() for point in points.values()]
    best = max(point.score for point in every)
    assert scores[-1] == best
    assert costs[0] == min(point.ms for point in every)  # the cheapest is always on it
    drawn = drawings(results, summary)
    assert "On the Pareto front, the cheapest first: copy (T = 10" in drawn["accuracy_against_macs"].caption
    assert "On the Pareto front" in drawn["accuracy_against_time"].caption


def test_bars_name_the_engine_only_where_there_are_several(street, read):
    results = read(street)
    (axes, _) = latency.draw(results).axes
    labels_of_bars = [text.get_text() for text in axes.get_yticklabels()]
    assert labels_of_bars[:4] == ["teacher, eager", "teacher, fast", "finetuned, eager", "finetuned, fast"]
    assert {"delta: key, fast", "delta: delta, fast", "copy: delta, eager"} <= set(labels_of_bars)
    shown = results.latency.shown
    alone = dataclasses.replace(
        shown, engines={"eager": shown.engines["eager"]}, baselines={"network": "eager"}
    )
    results = dataclasses.replace(results, latency=dataclasses.replace(results.latency, conditions=(alone,)))
    (axes, speedups) = latency.draw(results).axes
    assert axes.get_yticklabels()[0].get_text() == "teacher"
    assert {line.get_label() for line in speedups.lines} >= {"delta, measured", "feature, measured"}
    assert not any("copy" in str(line.get_label()) for line in speedups.lines)  # whose speed-up is T


def test_ids_of_two_figures_never_meet(drawn):
    ids = [found for drawing in drawn.values() for found in re.findall(r'\bid="([^"]+)"', drawing.svg)]
    assert len(ids) == len(set(ids))


def test_the_same_results_give_the_same_figure(street, read):
    summary = summarise(read(street))
    first, second = (style.to_svg(against_length.draw_accuracy(summary), name="a", alt="a") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("slope", [0.1, 1, 8, -1])
def test_a_label_lies_on_no_line_and_on_no_other_label(slope):
    drawn, (axes,) = style.figure()
    heights = [slope * x for x in range(5)]
    (line,) = axes.plot(range(5), heights)
    axes.margins(x=0.3, y=0.3)
    texts = labels.place(axes, [labels.Label(f"T = {x}", x, heights[x], "k") for x in (0, 2, 4)])
    drawn.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts]
    path = line.get_transform().transform_path(line.get_path())
    assert not any(path.intersects_bbox(box, filled=False) for box in boxes)
    assert Bbox.intersection(boxes[0], boxes[1]) is Bbox.intersection(boxes[1], boxes[2]) is None
    assert all(axes.bbox.fully_containsx(box.x0) and axes.bbox.fully_containsx(box.x1) for box in boxes)


def test_error_bars_need_more_than_one_seed(tree, street, read):
    one, three = (against_length.draw_accuracy(summarise(read(t))).axes[0] for t in (tree, street))
    assert not any(container.has_yerr for container in one.containers)
    assert all(container.has_yerr for container in three.containers)


def test_a_caption_speaks_of_error_bars_only_where_there_are_several_seeds(tree, drawn, read):
    one = drawings(results := read(tree), summarise(results))["compressed_share"].caption
    assert "One seed (0)." in one
    assert "rror bars" not in one
    assert (
        "Mean over seeds 0, 1, 2. Error bars: lowest and highest seed." in drawn["compressed_share"].caption
    )


def test_a_picture_file_is_light_and_wide_enough(street, read, tmp_path):
    style.to_png(against_length.draw_accuracy(summarise(read(street))), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 990
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def architecture(*candidates):
    return Architecture(
        layers=tuple(
            ArchitectureLayer(name=f"l{i}", part=part, candidate=candidate, teacher_macs=10, macs=2)
            for i, (part, candidate) in enumerate(candidates)
        )
    )


def test_the_share_of_compressed_layers_is_counted_per_part_and_seed():
    first = architecture(("stem", "compressed"), ("stem", "uncompressed"), ("head", "compressed"))
    second = architecture(("stem", "compressed"), ("stem", "compressed"), ("head", "uncompressed"))
    assert compressed_share.compressed_shares([first, second]) == {"stem": [0.5, 1.0], "head": [1.0, 0.0]}


def test_variants_that_convert_different_parts_share_one_figure(tree, read):
    results = read(tree)
    whole = compressed_share.compressed_shares(compressed_share.found(results)["delta"])
    other = architecture(("stem", "compressed"), ("fusion", "uncompressed"))
    feature = {0: dataclasses.replace(results.distilled["feature"][0], architecture=other)}
    results = dataclasses.replace(results, distilled={**results.distilled, "feature": feature})
    (axes,) = compressed_share.draw(results).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [*whole, "fusion"]
    assert [len(bars) for bars in axes.containers] == [len(whole), 2]


def test_without_students_their_figures_are_left_out(street, read):
    results = read(street)
    without = {name: runs for name, runs in results.distilled.items() if name == "finetuned"}
    object.__setattr__(results, "distilled", without)
    assert set(drawings(results, summarise(results))) == ALL - {"compressed_share", "distillation_error"}


def test_networks_without_a_choice_have_no_bars(tree, read):
    results = read(tree)
    everything = dataclasses.replace(
        results.distilled["feature"][0], architecture=architecture(("stem", "compressed"))
    )
    results = dataclasses.replace(results, distilled={**results.distilled, "feature": {0: everything}})
    assert list(compressed_share.found(results)) == ["delta"]


@pytest.mark.parametrize("labels", [["delta", "feature", "copy"], ["compressed_gamma3"] * 13])
def test_a_legend_fits_below_its_figure(labels):
    drawn, (axes,) = style.figure()
    for label in labels:
        axes.plot([0, 1], [0, 1], label=label)
    style.legend(drawn, axes)
    drawn.draw_without_rendering()
    (legend,) = drawn.legends
    assert drawn.bbox.contains(*legend.get_window_extent().min)
    assert drawn.bbox.contains(*legend.get_window_extent().max)


@pytest.fixture
def errors_of(tree, read):
    """Draw the distillation errors of delta with layers of the given parts; returns the figure."""
    results = read(tree)

    def draw(parts):
        layers = tuple(LayerError(f"l{i}", part, 0.5, 0.1) for i, part in enumerate(parts))
        delta = dataclasses.replace(results.distilled["delta"][0], layers=layers)
        return distillation_error.draw(dataclasses.replace(results, distilled={"delta": {0: delta}}))

    return draw


def test_every_part_of_the_network_is_named_once_below_its_layers(errors_of):
    (axes,) = errors_of(["stem"] * 9 + ["low"] * 5 + ["high"] * 4 + ["low"] * 5 + ["fusion", "head"]).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["stem", "low", "high", "fusion", "head"]
    assert axes.get_xticks().tolist() == [4, 13.5, 20.5, 23, 24]


def test_names_of_many_small_parts_do_not_overlap(errors_of):
    drawn = errors_of([f"part {i}" for i in range(20)])
    drawn.draw_without_rendering()
    boxes = [text.get_window_extent() for text in drawn.axes[0].get_xticklabels()]
    assert all(first.x1 <= second.x0 for first, second in pairwise(boxes))


def test_the_legend_of_all_variants_has_the_colour_of_none(drawn):
    (legend,) = drawn["distillation_error"].figure.legends
    assert {line.get_color() for line in legend.get_lines()} == {style.INK}


def test_variants_of_other_layers_have_axes_of_their_own(tree, read):
    results = read(tree)
    few = dataclasses.replace(
        results.distilled["feature"][0], layers=results.distilled["feature"][0].layers[:6]
    )
    results = dataclasses.replace(results, distilled={**results.distilled, "feature": {0: few}})
    delta, feature = distillation_error.draw(results).axes
    assert delta.get_xlim()[1] > 40
    assert feature.get_xlim()[1] < 7


@pytest.mark.parametrize("name", ["short", "a way of answering frames with a long name"])
def test_a_caption_ends_within_its_figure_however_far_to_the_right_its_axes_begin(name, tmp_path):
    drawn, (axes,) = style.figure()
    axes.barh(range(2), [1, 2])
    axes.set_yticks(range(2), [name, name])
    style.caption(axes, "speed-up over the per-frame teacher, onnxruntime (×)")
    before = style.to_svg(drawn, name="a", alt="a")
    assert before == style.to_svg(drawn, name="a", alt="a")
    style.to_png(drawn, tmp_path / "a.png")
    extent = axes._left_title.get_window_extent(FigureCanvasAgg(drawn).get_renderer())
    assert drawn.bbox.x0 <= extent.x0 < extent.x1 <= drawn.bbox.x1 + 0.01  # pixels
    assert (extent.x0 < axes.bbox.x0 - 1) == (name != "short")
