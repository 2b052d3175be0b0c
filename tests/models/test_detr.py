"""The small detection transformer: positions by hand, absent queries, and that it converts and streams."""

import pytest
import torch
from tasks.test_set_prediction import detr

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.forward.outputs import frame_outputs
from deltadistill.models.detr import waves
from deltadistill.stored.architecture import load_network
from deltadistill.stored.network_file import save_network

SIZES = {"channels": 4, "width": 16, "heads": 2, "encoder": 1, "decoder": 1, "queries": 6}


def test_positions_are_sines_and_cosines_by_hand():
    """Of ¼ with two frequencies, the second a tenth of the first: angles π/2 and π/20."""
    found = waves(torch.tensor([[0.25]]), 4)
    assert found.tolist() == [pytest.approx([1, 0.156434, 0, 0.987688], abs=1e-5)]


def test_answers_are_of_queries_and_know_the_frame():
    answer = detr()(torch.rand(2, 3, 32, 48))
    assert {name: tuple(made.shape) for name, made in answer.items()} == {
        "logits": (2, 6, 4), "boxes": (2, 6, 4), "sizes": (2, 2),
    }  # fmt: skip
    assert answer["sizes"].tolist() == 2 * [[32, 48]]
    assert detr().classes == 3


@torch.no_grad()
def test_before_it_learns_a_query_answers_with_the_box_that_it_asks_with():
    network = detr()
    boxes = network(torch.rand(1, 3, 32, 32))["boxes"][0]
    torch.testing.assert_close(boxes, network.boxes_asked.sigmoid())


@torch.no_grad()
def test_queries_that_fill_up_change_nothing_for_the_others():
    network = detr(decoder=2)  # in the first layer all queries say the same
    memory, boxes = network.encode(torch.rand(1, 3, 32, 48)), torch.rand(1, 3, 4)
    alone = network.read(memory, boxes[:, :2])["logits"]
    filled = network.read(memory, boxes, torch.tensor([[False, False, True]]))["logits"]
    torch.testing.assert_close(filled[:, :2], alone)
    assert not torch.allclose(network.read(memory, boxes)["logits"][:, :2], alone)


@torch.no_grad()
def test_it_converts_streams_and_comes_back_from_its_file(tmp_path):
    network, clip = detr(), torch.rand(2, 3, 3, 32, 48)
    described = {"name": "detr", "classes": 3, "options": SIZES}
    save_network(tmp_path / "network.pt", network, described, architecture=None)
    frame = clip[:, 0]
    torch.testing.assert_close(load_network(tmp_path / "network.pt")(frame), network(frame))
    delta = dd.convert(network, dd.LinearStudent(gamma=2, rank="min"), dd.inner_convolutions)
    assert len(delta_blocks(delta)) == 2
    for block in delta_blocks(delta).values():
        block.decide("compressed")
    whole, stream = dd.forward_clip(delta, clip, run=frame_outputs), dd.Stream(delta, period=3)
    for t in range(3):
        found = stream(clip[:, t])
        torch.testing.assert_close(found["logits"], whole["logits"][:, t])
    assert dd.count_macs(delta, (3, 32, 48)).delta < dd.count_macs(delta, (3, 32, 48)).teacher


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "width 16 must be a multiple of heads 3 and of 4"),
        ({"queries": 0}, "queries must be a whole"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        detr(**changes)
