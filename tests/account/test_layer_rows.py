"""Rows of macs.csv."""

from torch import nn

import deltadistill as dd
from deltadistill.account.layer_rows import layer_rows


def test_a_row_says_what_a_layer_costs_and_why_it_was_not_converted():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 2, 1))
    network = dd.convert(network, dd.LinearStudent(gamma=4))
    first, inner, last = layer_rows(network, dd.count_macs(network, (3, 6, 8)))
    assert [row["layer"] for row in (first, inner, last)] == ["0", "1", "2"]
    assert (inner["convertible"], inner["rank"], inner["kernel"]) == (True, 2, "3x3")
    assert inner["teacher_macs"] == 2 * 4 * 8 * 8 * 9
    assert inner["output_shape"].endswith("8x2x4")
    for row in (first, last):
        assert (row["convertible"], row["rank"], row["compressed_macs"]) == (False, None, None)
        assert row["reason"]


class Product(nn.Module):
    """Multiplies by a matrix that no layer holds."""

    def forward(self, x):
        return x @ x.new_ones(x.shape[-1], 5)


def test_what_costs_without_being_a_layer_has_a_reason_and_layers_keep_theirs():
    layers = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=4), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 2, 1)
    network = dd.convert(nn.Sequential(*layers, Product()), dd.LinearStudent(gamma=4), lambda _: ["2"])
    rows = layer_rows(network, dd.count_macs(network, (3, 9, 8)))
    assert [row["layer"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [row["reason"] for row in rows] == [*["not selected"] * 2, "", "not selected", NO_LAYER]
    assert [row["convertible"] for row in rows] == [False, False, True, False, False]
    assert [row["groups"] for row in rows] == [1, 4, 1, 1, None]
    assert [row["stride"] for row in rows] == [*["1x1"] * 4, ""]


NO_LAYER = "no layer with parameters of its own"
