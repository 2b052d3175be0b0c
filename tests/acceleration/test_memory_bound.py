"""A bound on memory: what a stream needs by hand, and what does not fit is said and not tried."""

from dataclasses import replace

import pytest

import deltadistill as dd
from deltadistill.acceleration import course as courses
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.course import Course
from deltadistill.acceleration.kept import question_of
from deltadistill.acceleration.memory_bound import beyond, needed_mib
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.running import load

PLAIN = 2 * 16 * 48 * 64 * 4 / 2**20  # MiB: input and output of the middle convolution; ReLU writes in place


def loaded(case, network):
    return load(network, case.example(), pictures=case.pictures)


def test_a_plain_network_needs_its_peak_and_a_delta_network_its_maps_beside(case):
    case = replace(case, memory_mib=1.0)
    with loaded(case, case.network) as plain:
        assert needed_mib(case, plain) == pytest.approx(PLAIN)
    network = dd.convert(case.network, dd.SpatialStudent(stride=2))
    for block in delta_blocks(network).values():
        block.decide("compressed")
    with loaded(case, dd.deploy(network)) as delta:
        assert needed_mib(case, delta) > PLAIN + delta.graphs.state_bytes / 2**20 / 2


def test_without_a_bound_nothing_is_counted(case):
    assert needed_mib(case, None) is None
    assert beyond(case, None) == ""


def test_what_fits_is_tried_and_what_does_not_says_so(case):
    bound = replace(case, memory_mib=1.0)
    assert beyond(bound, 1.0) == ""
    assert beyond(bound, 1.5) == "a stream takes 1.50 MiB beside its weights; 1 MiB are given"


def test_a_bound_below_the_per_frame_network_is_refused_before_anything_is_timed(case, monkeypatch):
    monkeypatch.setattr(courses, "baseline", lambda *given, **options: pytest.fail("it was timed"))
    bound = replace(case, memory_mib=0.3, name="net.py:build")
    with (
        Course(bound, Budget(40), lambda text: None) as course,
        pytest.raises(
            ValueError, match=r"net\.py:build takes 0\.38 MiB .* 0\.3 MiB are given .* nothing fits"
        ),
    ):
        course.begin()


def test_another_bound_is_another_question(case):
    questions = {question_of(replace(case, memory_mib=bound)) for bound in (None, 1.0, 2.0)}
    assert len(questions) == 3
