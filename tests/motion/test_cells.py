"""Places of maps that a flow moves, by hand, and that they are those of torch's warp at any resolution."""

import numpy as np
import pytest
import torch

from deltadistill.motion.cells import CellMotion
from deltadistill.motion.warp import Warp


def moved(memory, motion, height, width):
    """(outer, h · w, inner) after the move."""
    cells, found = motion.at(height, width), memory.copy()
    if cells is not None:
        found[:, cells.places] = cells.read(memory)
    return found


def test_one_place_reads_half_way_between_two_and_others_stay():
    flow = np.zeros((2, 3, 2), np.float32)
    flow[1, 2] = -0.5, 0  # the last place was half a pixel to the left
    cells = CellMotion(flow).at(2, 3)
    assert cells.places.tolist() == [5]
    assert cells.corners[:, 0].tolist() == [4, 5, 4, 5]  # row 1 above, and again below the border
    assert cells.weights[:, 0].tolist() == [0.5, 0.5, 0, 0]
    memory = np.arange(6, dtype=np.float32).reshape(1, 6, 1)
    assert moved(memory, CellMotion(flow), 2, 3).ravel().tolist() == [0, 1, 2, 3, 4, 4.5]


def test_half_the_size_has_the_mean_of_four_in_its_own_pixels():
    flow = np.zeros((4, 4, 2), np.float32)
    flow[:2, 2:, 0] = [[-4, 0], [-4, 0]]  # on the mean −2 pixels, which is a place of the map
    memory = np.arange(4, dtype=np.float32).reshape(1, 4, 1)
    assert moved(memory, CellMotion(flow), 2, 2).ravel().tolist() == [0, 0, 2, 3]


def test_what_moves_by_less_than_the_least_stays():
    flow = np.full((2, 2, 2), (0.03, 0.04), np.float32)  # by 0.05
    assert CellMotion(flow, least=0.04).at(2, 2) is not None
    assert CellMotion(flow, least=0.06).at(2, 2) is None


def test_a_flow_of_nothing_moves_nothing():
    assert CellMotion(np.zeros((5, 7, 2), np.float32)).at(3, 4) is None


@pytest.mark.parametrize("least", [0.0, 0.2])
@pytest.mark.parametrize("size", [(20, 28), (10, 14), (7, 9), (3, 28), (40, 56), (30, 14)])
def test_places_are_those_of_the_warp_of_tensors_beyond_the_border_too(size, least):
    generator = np.random.default_rng(0)
    flow = 4 * generator.standard_normal((20, 28, 2)).astype(np.float32)
    flow[3:12, 5:20] = 0
    maps = generator.standard_normal((1, 5, *size)).astype(np.float32)
    wanted = Warp(torch.from_numpy(flow).permute(2, 0, 1)[None], least=least)(torch.from_numpy(maps))
    first = moved(maps.reshape(5, -1, 1), CellMotion(flow, least=least), *size).reshape(5, *size)
    last = moved(maps[0].transpose(1, 2, 0).reshape(1, -1, 5), CellMotion(flow, least=least), *size)
    assert np.allclose(first, wanted[0], atol=1e-4)
    assert np.allclose(last.reshape(*size, 5).transpose(2, 0, 1), wanted[0], atol=1e-4)
