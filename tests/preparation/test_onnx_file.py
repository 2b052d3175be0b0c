"""ONNX files label like any network; what does not fit is refused by name."""

import numpy as np
import pytest
import torch
from preparation.onnx_by_hand import write_convolution

from deltadistill.preparation.onnx_file import open_onnx

WEIGHTS = np.array([[1, 0, 0], [0, 2, -1]], np.float32)  # logits: red, and 2 green − blue
FRAMES = torch.randn(3, 3, 4, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.onnx"


@pytest.mark.parametrize("axes", [["n", 3, "h", "w"], [1, 3, 4, 6]], ids=["free", "single frames"])
def test_its_output_is_that_of_the_network(path, axes):
    write_convolution(path, WEIGHTS, axes)
    expected = torch.stack([FRAMES[:, 0], 2 * FRAMES[:, 1] - FRAMES[:, 2]], 1)
    torch.testing.assert_close(open_onnx(path, gives="logits")(FRAMES), expected)


def test_probabilities_become_logits_whose_softmax_they_are(path):
    write_convolution(path, WEIGHTS, ["n", 3, "h", "w"])
    frames = torch.tensor([0.25, 0.5, 0.25]).view(1, 3, 1, 1)  # scores 0.25 and 0.75
    found = open_onnx(path, gives="probabilities")(frames).softmax(1)
    torch.testing.assert_close(found.flatten(), torch.tensor([0.25, 0.75]))
    certain = open_onnx(path, gives="probabilities")(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1))
    assert certain.softmax(1).flatten().tolist() == pytest.approx([1, 0], abs=1e-20)  # and no logarithm of 0


def test_frames_of_another_size_than_it_was_made_for_are_refused(path):
    write_convolution(path, WEIGHTS, [1, 3, 8, 6])
    with pytest.raises(
        ValueError, match=r"onnx: .*frames of 8×6, these are 4×6; set label_frames.size: \[8, 6\]"
    ):
        open_onnx(path, gives="logits")(FRAMES)


@pytest.mark.parametrize("axes", [[4, 3, "h", "w"], ["n", 1, "h", "w"]])
def test_other_inputs_than_frames_are_refused(path, axes):
    write_convolution(path, WEIGHTS[:, : axes[1]], axes)
    with pytest.raises(ValueError, match=r"onnx: one input of float32 frames is expected.*the file has x"):
        open_onnx(path, gives="logits")


def test_a_damaged_file_is_refused(path):
    write_convolution(path, WEIGHTS, ["n", 3, "h", "w"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="onnx: not an ONNX file that can be run"):
        open_onnx(path, gives="logits")
