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
