"""The form of outputs: what a network returns comes back around other arrays."""

import re

import pytest
import torch
from torch.utils._pytree import tree_map

from deltadistill.exporting.structure import flatten
from deltadistill.runtime.structure import faults, names, rebuild

ONE, TWO, THREE = (torch.full((2,), float(number)) for number in (1, 2, 3))


def number_of(leaf, tensors):
    """The place of a tensor among those of a form; anything else as it is."""
    return next((number for number, each in enumerate(tensors) if each is leaf), leaf)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (ONE, ["output"]),
        ((ONE, TWO), ["output.0", "output.1"]),
        ({"out": ONE, "aux": [TWO, {"deep": THREE}]}, ["output.out", "output.aux.0", "output.aux.1.deep"]),
        ({"out": ONE, "scale": 4, "none": None, "name": "x"}, ["output.out"]),
        ([(ONE,), []], ["output.0.0"]),
    ],
)
def test_a_form_round_trips_with_names_by_place(outputs, expected):
    tensors, structure = flatten(outputs)
    assert names(structure) == expected
    rebuilt = rebuild(structure, range(len(tensors)))
    assert rebuilt == tree_map(lambda leaf: number_of(leaf, tensors), outputs)
    assert faults(structure, len(tensors)) == []


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        ({}, "expected one of tensor"),
        ([], "expected one of tensor"),
        ({"tensor": True}, "expected one of tensor"),
        ({"tensor": 0, "list": []}, "expected one of tensor"),
        ({"list": {"tensor": 0}}, "expected one of tensor"),
        ({"dict": [{"tensor": 0}]}, "expected one of tensor"),
        ({"value": [1]}, "expected one of tensor"),
        ({"list": [{"tensor": 0}, {"tensor": 0}]}, r"names the arrays \[0, 0\] where there are 1"),
        ({"value": 1}, r"names the arrays \[\] where there are 1"),
    ],
)
def test_what_is_wrong_with_a_form_is_said(structure, message):
    (problem,) = faults(structure, 1)
    assert re.search(message, problem)
