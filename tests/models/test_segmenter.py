"""Segmenter: sizes, positions of other grids, and that it converts, runs and round-trips."""

import copy

import pytest
import torch

import deltadistill as dd
from deltadistill import models
from deltadistill.stored.architecture import load_network
from deltadistill.stored.network_file import save_network

SIZES = {"patch_size": 4, "width": 8, "layers": 2, "heads": 2, "grid": 3}


def segmenter(**changes):
    torch.manual_seed(0)
    return models.build("segmenter", classes=5, **SIZES | changes).eval()


def test_logits_are_of_the_pictures_size_and_features_of_the_patches():
    network, seen = segmenter(), []
    network.features.register_forward_hook(lambda _module, _inputs, output: seen.append(output.shape))
    with torch.no_grad():
        assert network(torch.rand(2, 3, 8, 16)).shape == (2, 5, 8, 16)
    assert seen == [(2, 8, 2, 4)]


def test_tokens_are_laid_out_row_by_row():
    tokens = torch.arange(6.0).reshape(1, 6, 1)
    assert segmenter().features(tokens, (2, 3)).tolist() == [[[[0, 1, 2], [3, 4, 5]]]]


def test_positions_of_another_grid_are_resized_by_hand():
    """Of rows 0, 4, 8 two are those a quarter in from the ends: 1 and 7."""
    network = segmenter(width=2)
    network.positions.data = torch.tensor([0.0, 4.0, 8.0])[None, None, :, None].expand(1, 2, 3, 3)
    assert network._positions_of((2, 1))[0, 0, :, 0].tolist() == pytest.approx([1, 7])
    assert network._positions_of((3, 3)) is network.positions


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"heads": 3}, "width 8 must be a multiple of heads 3"), ({"grid": 0}, "grid must be a whole number")],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        segmenter(**changes)


def test_pictures_that_patches_do_not_fill_are_refused():
    with pytest.raises(ValueError, match=r"\(8, 10\) pixels are not filled by patches of 4"):
        segmenter()(torch.rand(1, 3, 8, 10))


def test_it_converts_streams_and_comes_back_from_its_file(tmp_path):
    network, frames = segmenter(), torch.rand(3, 1, 3, 8, 8)
    described = {"name": "segmenter", "classes": 5, "options": SIZES}
    save_network(tmp_path / "network.pt", network, described, architecture=None)
    with torch.no_grad():
        assert torch.equal(load_network(tmp_path / "network.pt")(frames[0]), network(frames[0]))
    delta = dd.convert(copy.deepcopy(network), dd.LinearStudent(gamma=2), dd.inner_layers)
    assert dd.count_macs(delta, (3, 8, 8)).teacher > 0
    stream = dd.Stream(dd.deploy(delta), period=3)
    with torch.no_grad():
        assert [stream(frame).shape for frame in frames] == 3 * [(1, 5, 8, 8)]
