"""Designs of students from what a file or parameters say."""

import pytest

from deltadistill.blocks.designs import student_design

KIND = {"kind": "linear"}


@pytest.mark.parametrize("gamma", [1, 2**16])
def test_a_setting_up_to_more_than_any_layers_channels_is_taken(gamma):
    assert student_design({**KIND, "gamma": gamma}).gamma == gamma


def test_a_setting_beyond_any_layers_channels_is_refused():
    with pytest.raises(
        ValueError, match="gamma 65537 of students is above 65536, more than any layer's channels"
    ):
        student_design({**KIND, "gamma": 2**16 + 1})


@pytest.mark.parametrize(
    ("name", "value", "kind"), [("gamma", True, "int"), ("gamma", 2.0, "int"), ("keep_dearer", 1, "bool")]
)
def test_a_setting_of_another_type_is_refused_with_what_is_expected(name, value, kind):
    with pytest.raises(ValueError, match=f"{name} of students is {value!r}; expected {kind}"):
        student_design({**KIND, name: value})
