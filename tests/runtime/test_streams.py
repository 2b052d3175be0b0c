"""Streams side by side: each answers as if it were alone, whenever others join, leave or begin again."""

from threading import Thread

import numpy as np
import pytest
import torch

import deltadistill as dd
from deltadistill.blocks.schedules import OnDemand

ENGINES = ("onnxruntime", "openvino")


def beginning(kind, network, folder):
    """What makes a stream for `dd.Streams`, all on what is loaded once."""
    if kind == "torch":
        return lambda: TensorStream(network)
    pytest.importorskip(kind)
    return dd.Runner(folder, engine=kind, threads=1).another


class TensorStream(dd.Stream):
    """A stream that takes arrays and gives arrays, as runners do."""

    def __init__(self, network):
        super().__init__(network, period=4)

    def __call__(self, frame):
        return super().__call__(torch.from_numpy(frame)).numpy()


def frame_of(clip, stream, number):
    return clip[(5 * stream + number) % len(clip)] * np.float32(1 + 0.1 * stream)


@pytest.mark.parametrize("kind", ["torch", *ENGINES])
def test_eight_streams_at_once_give_the_answers_of_each_alone(network, clip, folder, kind):
    begin = beginning(kind, network, folder)
    streams, draws = dd.Streams(begin), np.random.default_rng(0)
    together = {name: [] for name in range(8)}
    asked = {name: [] for name in range(8)}
    for number in range(24):
        here = [name for name in range(8) if number >= name and draws.random() < 0.8]  # they join one by one
        for name in here:
            if name in streams and draws.random() < 0.1:
                streams[name].refresh()
                asked[name].append(("refresh", number))
            elif name in streams and draws.random() < 0.1:
                streams.leave(name)
                asked[name].append(("begin", number))
        answers = streams({name: frame_of(clip, name, number) for name in here})
        assert list(answers) == here
        for name, answer in answers.items():
            together[name].append((number, answer, streams[name].is_key_frame))
    assert sum(map(len, asked.values())) > 10
    assert len({number for number, _, is_key in together[1] if is_key}) > 3
    for name, told in together.items():
        alone, todo = begin(), dict(map(reversed, asked[name]))
        for number, answer, is_key in told:
            if number in todo:
                alone.refresh() if todo[number] == "refresh" else alone.reset()
            assert np.array_equal(alone(frame_of(clip, name, number)), answer)
            assert alone.is_key_frame == is_key


@pytest.mark.parametrize("kind", ["torch", *ENGINES])
def test_streams_may_have_their_frames_in_threads_of_their_own(network, clip, folder, kind):
    begin = beginning(kind, network, folder)
    streams, found = dd.Streams(begin), {}

    def run(name):
        frames = [frame_of(clip, name, number) for number in range(20)]
        found[name] = [streams({name: frame})[name] for frame in frames]

    threads = [Thread(target=run, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, answers in found.items():
        alone = begin()
        expected = [alone(frame_of(clip, name, number)) for number in range(20)]
        np.testing.assert_array_equal(answers, expected)


def test_an_error_names_its_stream_and_the_others_go_on(clip, folder):
    streams = dd.Streams(dd.Runner(folder, engine="onnxruntime", threads=1).another)
    streams({"door": clip[0], "yard": clip[0]})
    with pytest.raises(ValueError, match="a frame of float64") as error:
        streams({"door": clip[1], "yard": clip[1].astype(np.float64)})
    assert error.value.__notes__ == ["(in the stream 'yard')"]
    streams({"door": clip[2], "yard": clip[2]})
    assert not streams["door"].is_key_frame


def test_streams_are_named_once_and_known_by_name(clip, folder):
    runner = dd.Runner(folder, engine="onnxruntime", threads=1)
    streams = dd.Streams(runner.another)
    own = streams.join("own", runner.another(schedule=OnDemand()))
    keys = []
    for frame in clip:
        streams({"own": frame, "other": frame})
        keys.append((own.is_key_frame, streams["other"].is_key_frame))
    assert [number for number, (key, _) in enumerate(keys) if key] == [0]
    assert [number for number, (_, key) in enumerate(keys) if key] == [0, 4, 8]
    assert (list(streams), len(streams), "own" in streams) == (["own", "other"], 2, True)
    with pytest.raises(ValueError, match=r"there is a stream 'own' already; leave\('own'\) ends it"):
        streams.join("own")
    streams.leave("own")
    with pytest.raises(ValueError, match="there is no stream 'own'; there are 'other'"):
        streams["own"].refresh()
