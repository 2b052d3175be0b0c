"""Designs of students, and the layers of which measured time approves."""

import pytest
import torch

from deltadistill.acceleration import designs
from deltadistill.acceleration.designs import DESIGNS, Design, by_key, made
from deltadistill.blocks.delta_network import delta_blocks


def test_a_design_is_found_again_by_its_name_with_the_layers_that_it_had():
    assert by_key("gamma8-timed", ["a", "b"]) == Design(8, "timed", ("a", "b"))
    with pytest.raises(ValueError, match="no design 'magic'"):
        by_key("magic")
    assert len({design.key for design in DESIGNS}) == len(DESIGNS)


def test_students_of_other_layers_have_another_name():
    names = {Design(8, "timed", layers).students_key(10) for layers in ((), ("a",), ("a", "b"))}
    assert len(names) == 3


def test_layers_that_are_named_alone_have_students(case):
    clips = case.clips(most=2, steps=(0, 2)).stacked()
    network = made(case.network, Design(4, "timed", ("2",)), clips)
    assert list(delta_blocks(network)) == ["2"]


def test_time_is_measured_in_the_engine_itself(case):
    clips = case.clips(most=2, steps=(0, 2)).stacked()
    torch.manual_seed(0)
    delta = made(case.network, Design(4, "timed"), clips, starts=False)
    found = designs.saving_time(case, delta, ("onnxruntime", "fp32"), length=4, seconds=0.2)
    assert set(found) <= {"2"}  # the only inner layer
