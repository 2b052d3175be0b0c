"""Students that pool earlier, as files describe them: what is no description is refused."""

import pytest
from torch import nn

from deltadistill.stored.early_student import apply_early_architecture


def plain():
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(2), nn.ReLU())


def test_strides_and_red_blocks_are_put_where_they_are_said():
    said = {"strides": {"0": 4, "1": 1}, "red_blocks": {"0": {"output": 4, "input": 3}}}
    network = apply_early_architecture(plain(), said)
    assert network[0].layer.stride == (4, 4)
    assert (network[0].before.channels, network[0].after.channels) == (3, 4)
    assert (
        network[1].stride == network[1].kernel_size == 1
    )  # without padding a larger one would take rows off


def test_a_convolution_may_stride_by_rows_and_columns():
    network = apply_early_architecture(plain(), {"strides": {"0": [2, 1]}, "red_blocks": {}})
    assert network[0].stride == (2, 1)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"strides": {"0": [2, 0]}, "red_blocks": {}}, r"gets stride \[2, 0\]"),
        ({"strides": {"0": [2, 1, 1]}, "red_blocks": {}}, r"gets stride \[2, 1, 1\]"),
        ({"strides": {"1": [2, 1]}, "red_blocks": {}}, r"1 is a MaxPool2d and gets stride \[2, 1\]"),
        ({"strides": {"0": 2}}, r"it has \['strides'\]; expected strides and red_blocks"),
        ({"strides": [2], "red_blocks": {}}, "expected strides and red_blocks, each by layer"),
        (
            {"strides": {"0": 0}, "red_blocks": {}},
            "0 is a Conv2d and gets stride 0; .* a whole number from 1",
        ),
        ({"strides": {"0": True}, "red_blocks": {}}, "gets stride True"),
        ({"strides": {"2": 2}, "red_blocks": {}}, "2 is a ReLU and gets stride 2; expected a convolution"),
        ({"strides": {"7": 2}, "red_blocks": {}}, "7 is no layer of the network and gets stride 2"),
        ({"strides": {}, "red_blocks": {"0": 4}}, "RED blocks of 0 are 4; expected channels by side"),
        ({"strides": {}, "red_blocks": {"0": {"output": 0}}}, "expected channels by side, input or output"),
        ({"strides": {}, "red_blocks": {"7": {"output": 4}}}, "a RED block names the module '7'"),
    ],
)
def test_what_is_no_description_is_refused(said, message):
    with pytest.raises(ValueError, match=message):
        apply_early_architecture(plain(), said)
