"""Designs of students from what a file or parameters say."""

from dataclasses import dataclass

import pytest

from deltadistill.blocks.designs import fresh_design, shape_design, student_design
from deltadistill.blocks.linear import LinearStudent
from deltadistill.blocks.nonlinear import SpatialStudent

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


class _Asked:
    """What is asked of a design, without being a dataclass."""

    reason_against = rule = candidates = as_dict = None


@dataclass(frozen=True)
class _Lacking:
    """A dataclass without candidates."""

    gamma: int = 2
    reason_against = rule = as_dict = None


def _function():
    """No class."""


_instance = _Lacking()


@pytest.mark.parametrize("name", ["_Asked", "_Lacking", "_function", "_instance"])
def test_what_is_no_dataclass_with_all_that_is_asked_is_no_design(name):
    with pytest.raises(ValueError, match=rf"{name} is no student design; expected a dataclass with"):
        student_design({"kind": f"{__name__}:{name}"})


def test_settings_that_a_kind_does_not_have_are_named_with_those_that_it_has():
    with pytest.raises(ValueError, match=r"spatial students have no setting 'gamma'; they have stride"):
        student_design({"kind": "spatial", "gamma": 2})


@pytest.mark.parametrize("settings", [None, "linear", ["linear"], 3])
def test_students_that_are_no_mapping_are_refused(settings):
    for make in (shape_design, fresh_design):
        with pytest.raises(ValueError, match="expected their kind and settings by name"):
            make(settings)


def test_a_start_from_data_is_left_out_where_there_are_no_clips():
    for start in ("data", "svd", "random"):
        settings = {**KIND, "gamma": 3, "initialisation": start}
        assert shape_design(settings) == LinearStudent(gamma=3, initialisation="random")
        fresh = "svd" if start == "data" else start
        assert fresh_design(settings) == LinearStudent(gamma=3, initialisation=fresh)
    spatial = {"kind": "spatial", "stride": 4}
    assert shape_design(spatial) == fresh_design(spatial) == SpatialStudent(stride=4)


def test_settings_that_are_left_out_are_those_of_the_documents():
    """A file or parameters without them mean these."""
    linear = {"gamma": 4, "rank": "out", "multiple": 1, "initialisation": "svd", "pointwise_stride": "first"}
    for kind, settings in {
        "linear": {**linear, "keep_dearer": False},
        "channel": {"gamma": 4},
        "spatial": {"stride": 2},
        "channel_spatial": {"gamma": 2, "stride": 2},
        "reduced": {"factor": 2, "gated": True},
    }.items():
        assert student_design({"kind": kind}).as_dict() == {"kind": kind, **settings}
