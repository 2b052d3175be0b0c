"""A vision transformer with residual tokens as a runner, without PyTorch: what the stream says."""

import pytest
import torch
from small_transformers import SIZE, transformer

import deltadistill as dd


@pytest.mark.parametrize("choice", ["motion", "attention"])
def test_a_runner_of_key_and_later_frames_says_what_the_stream_says(choice, tmp_path):
    torch.manual_seed(0)
    network = dd.convert(transformer("timm"), dd.ResidualTokens(0.75, choice), dd.vision_transformers)
    network, frames = dd.deploy(network).eval(), torch.randn(3, 1, *SIZE)
    dd.export(network, tmp_path / "runner", example=frames[0], period=2)
    runner, stream = dd.Runner(tmp_path / "runner", engine="onnxruntime"), dd.Stream(network, period=2)
    for frame in frames:
        said = torch.as_tensor(runner(frame.numpy()))
        torch.testing.assert_close(said, stream(frame), rtol=1e-4, atol=1e-5)
