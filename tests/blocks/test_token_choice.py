"""Which patches stay, on a grid of 4×4 whose places can be counted by hand."""

import pytest
import torch
from small_transformers import SIZE, transformer

from deltadistill.blocks.token_choice import chosen_patches
from deltadistill.models.vit_block import received_attention, vit_block
from deltadistill.models.vit_form import vit_form

FORM = vit_form(transformer("torchvision"))


def chosen(choice, rate=0.75, x=None, x_key=None):
    x = torch.zeros(1, *SIZE) if x is None else x
    return chosen_patches(
        choice, FORM, rate, FORM.embed(x), x, torch.zeros_like(x) if x_key is None else x_key
    )


def test_uniform_goes_evenly_from_the_first_patch_to_the_last():
    assert chosen("uniform").tolist() == [[0, 5, 10, 15]]


def test_center_takes_the_middle_of_the_picture():
    assert chosen("center").tolist() == [[5, 6, 9, 10]]


def test_random_keeps_the_same_places_on_every_frame():
    places = chosen("random")
    assert torch.equal(places, chosen("random", x=torch.ones(1, *SIZE)))
    assert len(set(places[0].tolist())) == 4
    assert places[0].tolist() == sorted(places[0].tolist())


def test_motion_keeps_the_patches_whose_pixels_changed_most_of_each_stream():
    x = torch.zeros(2, *SIZE)
    for stream, place, value in [(0, 2, 1.0), (0, 7, -3.0), (1, 0, 0.5), (1, 15, 0.1)]:
        row, column = divmod(place, 4)
        x[stream, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = value
    assert chosen("motion", 0.875, x=x).tolist() == [[2, 7], [0, 15]]
    assert chosen("motion", 0.875, x=x, x_key=x * 0 + 1.0)[0].tolist() != [2, 7]


@torch.no_grad()
def test_attention_keeps_what_the_class_token_looks_at_most():
    x = torch.randn(1, *SIZE, generator=torch.Generator().manual_seed(0))
    received = received_attention(vit_block(FORM.blocks[0]), FORM.embed(x), prefix=1)
    assert chosen("attention", x=x)[0].tolist() == sorted(received[0].argsort(descending=True)[:4].tolist())


def test_attention_received_by_hand():
    block = vit_block(transformer("torchvision").encoder.layers[0])
    one = torch.tensor([[[[1.0], [0.0], [0.0]]]])  # one head, three tokens, a number each
    keys = torch.log(torch.tensor([[[[1.0], [1.0], [2.0]]]]))
    fake = type(block)(**{**vars(block), "norm_1": lambda x: x, "heads": lambda x: (one, keys, keys)})
    found = received_attention(fake, torch.zeros(1, 3, 1), prefix=1)
    torch.testing.assert_close(
        found, torch.tensor([[0.25, 0.5]])
    )  # of 1 : 1 : 2, the class token's own left out
    found = received_attention(fake, torch.zeros(1, 3, 1), prefix=0)
    thirds = (torch.tensor([0.25, 0.25, 0.5]) + 2 / 3) / 3
    torch.testing.assert_close(found[0], thirds)


@pytest.mark.parametrize("choice", ["uniform", "center", "random", "motion", "attention"])
def test_a_rate_of_zero_keeps_every_patch_in_its_order(choice):
    assert chosen(choice, 0.0).tolist() == [list(range(16))]
