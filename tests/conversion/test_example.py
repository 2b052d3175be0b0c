"""What an example may be: one clear sentence for each that it may not."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks

FRAMES = torch.rand(2, 3, 8, 9, generator=torch.Generator().manual_seed(0))


def convert(example, network=None):
    network = network or nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, (3, 1)), nn.Conv2d(8, 2, 1))
    return dd.convert(network.eval(), dd.LinearStudent(gamma=4), dd.all_convolutions, example=example)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ((FRAMES * 255).byte(), "example is uint8; give frames as float32, scaled as in"),
        (FRAMES.double(), r"example is float64 and .* weights are float32; pass example.to\(torch.float32\)"),
        (FRAMES.half(), "example is float16 and"),
        ({"pixels": FRAMES}, r"example is a dictionary with the keys \['pixels'\].*example=\(it,\)"),
        (3, "example is a int; expected frames"),
        ("frames", "example is a str; expected frames"),
        (FRAMES[:0], "one frame or more"),
    ],
)
def test_an_example_that_is_no_frames_for_the_network_is_refused_with_what_to_do(example, message):
    with pytest.raises(ValueError, match=message):
        convert(example)


def test_a_network_that_scales_whole_numbers_itself_takes_them():
    class Scales(nn.Sequential):
        def forward(self, x):
            return super().forward(x.float() / 255)

    network = Scales(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))
    assert len(delta_blocks(convert((FRAMES * 255).byte(), network))) == 2


def test_a_network_that_takes_a_dictionary_gets_it_as_its_one_argument():
    class FromDictionary(nn.Sequential):
        def forward(self, batch):
            return super().forward(batch["pixels"])

    network = FromDictionary(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))
    assert len(delta_blocks(convert(({"pixels": FRAMES},), network))) == 2


def test_an_error_of_another_cause_comes_as_it_is():
    with pytest.raises(RuntimeError, match="channels"):
        convert(FRAMES[:, :2])
