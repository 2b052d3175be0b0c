"""Blocks whose maps fit into a stream's memory: which stay, by hand, and what is refused."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.memory_table import MIB
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.distillation.memory_choice import within_memory
from deltadistill.exporting.stream_memory import stream_memory

PLANE = 8 * 8 * 4  # bytes of a channel
FRAMES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
STUDENTS = dd.LinearStudent(gamma=4, initialisation="random")


def network():
    sizes = [(3, 16, 3), (16, 16, 3), (16, 4, 3), (4, 16, 3), (16, 2, 1)]
    return nn.Sequential(*(nn.Conv2d(a, b, k, padding=k // 2) for a, b, k in sizes)).eval()


def peak(delta):
    return stream_memory(delta.eval(), FRAMES[:1].clone()).peak


def test_layers_that_save_least_for_their_maps_are_left_alone():
    """MACs saved a place: 2304 − 384 = 1920, 576 − 60 = 516 and 576 − 240 = 336, for 16, 4 and 16 planes.

    With 4 planes less than all take, 32 are left for maps: 16 + 4 save 2436, 16 + 16 only 2256.
    """
    whole = dd.convert(network(), STUDENTS, example=FRAMES, progress=False)
    assert list(delta_blocks(whole)) == ["1", "2", "3"]
    budget = (peak(whole) - 4 * PLANE) / MIB
    where = within_memory(network(), STUDENTS, frames=FRAMES, most=budget)
    assert where(network()) == ["1", "2"]
    smaller = dd.convert(network(), STUDENTS, where, example=FRAMES, progress=False)
    assert peak(smaller) <= budget * MIB


def test_the_bound_holds_whichever_candidates_a_search_chooses():
    plain = peak(network())
    for planes in (20, 30, 40):
        budget = (plain + planes * PLANE) / MIB
        where = within_memory(network(), STUDENTS, frames=FRAMES, most=budget)
        delta = dd.convert(network(), STUDENTS, where, example=FRAMES, progress=False).eval()
        for candidate in ("compressed", "uncompressed"):
            for block in delta_blocks(delta).values():
                block.decide(candidate)
                nn.init.normal_(block.uncompressed.weight)
            assert plain < peak(delta) <= budget * MIB


def test_a_bound_that_holds_already_leaves_the_selection_as_it_is():
    where = within_memory(network(), STUDENTS, frames=FRAMES, most=1.0)
    assert where(network()) == ["1", "2", "3"]


def test_a_whole_network_at_lower_resolution_fits_beside_a_frame_where_no_linear_student_does():
    """While the teacher runs its 32 planes, of what is kept only the coarse output is there: 2 / 4."""
    students = dd.ReducedResolution()
    budget = 32.5 * PLANE / MIB
    where = within_memory(network(), students, dd.whole_network, frames=FRAMES, most=budget)
    assert where(network()) == [""]
    whole = dd.convert(network(), students, where, example=FRAMES, progress=False)
    whole.decide("compressed")
    assert peak(whole) == 32.5 * PLANE
    with pytest.raises(ValueError, match="no student's maps fit beside that"):
        within_memory(network(), STUDENTS, frames=FRAMES, most=budget)


def test_less_than_the_plain_network_takes_is_refused():
    """Frames of the plain network take 16 + 16 planes, 0.0078 MiB."""
    with pytest.raises(ValueError, match=r"takes 0\.008 MiB beside its weights, and 0\.007 MiB are given"):
        within_memory(network(), STUDENTS, frames=FRAMES, most=0.007)
