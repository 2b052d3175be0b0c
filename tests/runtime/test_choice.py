"""The engine of a runner: the fastest by time per frame of a period, or the network in full."""

import json
import logging

import pytest

import deltadistill as dd
from deltadistill.runtime import choice
from deltadistill.runtime.choice import decided

TIMES = {
    "frame": {"one": 10.0, "other": 12.0},
    "key": {"one": 14.0, "other": 13.0},
    "delta": {"one": 8.0, "other": 5.0},
}


def test_the_time_of_a_period_decides_by_hand():
    found = decided(TIMES, period=4, precision="fp32")
    assert (found.engine, found.per_frame) == (
        "other",
        False,
    )  # (13 + 3·5) / 4 = 7 against (14 + 3·8) / 4 = 9.5
    assert (
        "7.0 ms a frame at period 4 (other), ×1.43 as fast as the per-frame network's 10.0 ms (one)"
        in found.reason
    )


def test_where_delta_frames_save_nothing_the_fastest_per_frame_engine_runs_and_it_is_said():
    found = decided(TIMES, period=1, precision="fp32")  # 13 against 10
    assert (found.engine, found.per_frame) == ("one", True)
    assert "every frame is computed in full: delta frames take 13.0 ms" in found.reason
    assert decided(TIMES, period=2, precision="fp32").per_frame is False  # 9
    even = {**TIMES, "delta": {"one": 8.0, "other": 9.0}}
    assert decided(even, period=4, precision="fp32").engine == "one"  # 9.5 against 10
    assert (
        decided(even, period=2, precision="fp32").per_frame is True
    )  # 11 against 10: equal is no gain either


@pytest.fixture
def scripted(monkeypatch):
    """Times that are not measured; a list of how often somebody asked."""
    asked = []

    def measured(sessions, description, *, seconds):
        asked.append(sorted(sessions))
        return {
            "frame": dict.fromkeys(sessions, 10.0),
            "key": dict.fromkeys(sessions, 12.0),
            "delta": dict.fromkeys(sessions, 20.0 - 15 * (len(asked) > 99)),
        }

    monkeypatch.setattr(choice, "measured", measured)
    return asked


def test_what_was_measured_is_remembered_by_machine_runner_and_settings(folder, scripted, memory, caplog):
    with caplog.at_level(logging.WARNING):
        runner = dd.Runner(folder, threads=1)
    assert runner.choice.per_frame
    assert "every frame is computed in full" in caplog.text
    dd.Runner(folder, threads=1, period=2)
    assert len(scripted) == 1
    dd.Runner(folder, threads=2)
    assert len(scripted) == 2
    assert len(json.loads(memory.read_text())) == 2


def test_times_of_another_version_of_an_engine_are_not_recalled(folder, scripted, monkeypatch):
    dd.Runner(folder, threads=1)
    monkeypatch.setattr(choice, "installed_versions", lambda: {"onnxruntime": "another"})
    dd.Runner(folder, threads=1)
    assert len(scripted) == 2


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"x": 1', b'{"x": []}'])
def test_a_memory_that_cannot_be_read_is_measured_again(folder, scripted, memory, content):
    memory.parent.mkdir(parents=True)
    memory.write_bytes(content)
    dd.Runner(folder, threads=1)
    dd.Runner(folder, threads=1)
    assert len(scripted) == 1


def test_a_memory_that_cannot_be_written_is_said_and_no_harm(folder, scripted, memory, caplog, monkeypatch):
    memory.parent.parent.mkdir(parents=True, exist_ok=True)
    memory.parent.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        dd.Runner(folder, threads=1)
    assert "not remembered" in caplog.text


def test_per_frame_every_frame_is_the_networks(folder, scripted, network, clip):
    import torch

    runner = dd.Runner(folder, threads=1)
    for frame in clip[:3]:
        answer = runner(frame)
        expected = network(torch.from_numpy(frame)).detach().numpy()
        assert abs(answer - expected).max() < 1e-4
        assert runner.is_key_frame


def test_engines_are_really_measured(folder):
    runner = dd.Runner(folder, threads=1)
    assert set(runner.choice.frame_ms) == set(runner.choice.delta_ms) >= {"onnxruntime"}
    assert all(0 < value < 1e4 for value in runner.choice.delta_ms.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"engine": "quick"},
            "engine 'quick' is unknown; allowed: onnxruntime, openvino, .* or one of your own",
        ),
        ({"engine": "eager"}, "the engine 'eager' cannot run here: there are no functions in memory"),
        ({"engine": "package"}, "there are no packages in this folder"),
        ({"precision": "fp8"}, "precision 'fp8' is unknown; allowed: fp32, bf16, int8"),
        ({"engine": "onnxruntime", "precision": "bf16"}, "compute in fp32 and int8, not in bf16"),
        ({"engine": "onnxruntime", "device": "tpu"}, "device 'tpu' is unknown; allowed: cpu, cuda"),
        ({"engine": "onnxruntime", "threads": 0}, "threads 0 must be at least 1"),
        ({"engine": "onnxruntime", "period": 0}, "period 0 must be a whole number of frames"),
    ],
)
def test_what_cannot_run_here_is_refused_with_the_reason(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        dd.Runner(folder, **settings)
