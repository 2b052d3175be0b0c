"""The figure of MACs per layer."""

from deltadistill.account.macs import LayerMacs
from deltadistill.account.macs_figure import draw, write


def row(name, teacher, compressed=None):
    chosen = None if compressed is None else "compressed"
    shape = (1, 1, 1, 1)
    return LayerMacs(name, "convolution", shape, shape, 1, teacher, compressed_macs=compressed, chosen=chosen)


ROWS = [row("stem", 10), row("inner", 40, 10), row("late", 30, 15)]
PARTS = {"stem": "front", "inner": "body", "late": "body"}


def test_the_dearest_layers_are_shown_dearest_first():
    axes = draw(ROWS, PARTS, layers=2).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["inner", "late"]
    assert [text.get_text() for text in axes.texts] == ["0.25", "0.50"]
    assert "the 2 dearest of 3 layers" in axes.get_title(loc="left")


def test_a_layer_that_was_not_converted_has_one_bar_and_parts_share_a_colour():
    axes = draw(ROWS, PARTS, layers=9).axes[0]
    assert len(axes.patches) == 2 + 2 + 1
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["front", "body", "not converted"]


def test_the_same_figure_gives_the_same_file(tmp_path):
    for name in ("a.png", "b.png"):
        write(draw(ROWS, PARTS, layers=9), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
