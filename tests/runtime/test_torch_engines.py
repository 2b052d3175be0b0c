"""PyTorch's engines: as it is, compiled at most twice, and packages compiled ahead of time."""

import numpy as np
import torch
from torch._dynamo.utils import counters

import deltadistill as dd
from deltadistill.exporting.running import load


def by_engine(running, clip, period):
    answers = []
    for number, frame in enumerate(clip):
        if number % period == 0:
            answer, maps = running.key(torch.from_numpy(frame))
        else:
            answer = running.delta(torch.from_numpy(frame), maps)
        answers.append(answer.numpy())
    return answers


def streamed(network, clip, period):
    stream = dd.Stream(network, period=period)
    return [stream(torch.from_numpy(frame)).numpy() for frame in clip]


def test_eager_says_what_a_stream_says_in_both_precisions(network, clip):
    with load(network, torch.from_numpy(clip[0])) as loaded:
        expected = streamed(network, clip, 4)
        np.testing.assert_allclose(
            by_engine(loaded.running("eager"), clip, 4), expected, rtol=1e-4, atol=1e-5
        )
        narrow = by_engine(loaded.running("eager", precision="bf16"), clip, 4)
        assert 0 < np.abs(np.array(narrow) - expected).max() < 0.05 * np.abs(expected).max()


def test_compiled_two_functions_are_compiled_in_200_frames_and_no_more(network, clip):
    torch._dynamo.reset()
    counters.clear()
    with load(network, torch.from_numpy(clip[0])) as loaded:
        frames = [clip[number % len(clip)] for number in range(200)]
        made = by_engine(loaded.running("compile", threads=1), frames, 4)
    assert counters["stats"]["unique_graphs"] == 2
    np.testing.assert_allclose(made, streamed(network, frames, 4), rtol=1e-4, atol=1e-5)


def test_packages_are_written_and_run(network, clip, tmp_path):
    dd.export(network, tmp_path / "r", example=torch.from_numpy(clip[0]), period=4, packages=True)
    runner = dd.Runner(tmp_path / "r", engine="package", threads=1)
    np.testing.assert_allclose([runner(f) for f in clip], streamed(network, clip, 4), rtol=1e-4, atol=1e-5)
