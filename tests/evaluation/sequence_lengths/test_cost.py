"""Cost and time of a variant per frame."""

import numpy as np
import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.frame_times import calls_to_time, describe_stream, describe_teacher, streams_of
from deltadistill.account.latency import Timings
from deltadistill.evaluation.costs_by_length import costs_by_length

SIZE = (3, 8, 8)


@pytest.fixture
def teacher():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 2, 1))


@pytest.fixture
def network(teacher):
    converted = dd.convert(teacher.eval(), dd.LinearStudent(gamma=4))
    converted[1].decide("compressed")
    return converted


# 64 pixels: the teacher's convolutions are 27·8, 72·8 and 8·2 per pixel; the student's 8·3·2 and 2·3·8.
KEY, DELTA = 64 * (216 + 576 + 16), 64 * (216 + 96 + 16)


def test_a_stream_costs_one_key_frame_and_delta_frames(network, teacher):
    costs = costs_by_length(network, teacher, "stream", [1, 4], size=SIZE)
    assert costs[1] == {"gmacs": KEY / 1e9, "macs_ratio": 1}
    amortised = (KEY + 3 * DELTA) / 4
    assert costs[4] == pytest.approx({"gmacs": amortised / 1e9, "macs_ratio": amortised / KEY})


def test_copies_cost_nothing(teacher):
    assert costs_by_length(teacher, teacher, "copy", [4], size=SIZE)[4]["macs_ratio"] == pytest.approx(1 / 4)


def test_times_are_of_teacher_key_and_delta_frames(network, teacher):
    before, now = torch.randn(2, 1, *SIZE).unbind()
    with torch.no_grad():
        streams = streams_of({"teacher": teacher, "delta": network}, before)
        results = {name: call() for name, call in calls_to_time(teacher, streams, now).items()}
    assert set(results) == {"teacher", "delta key", "delta delta"}
    torch.testing.assert_close(results["delta key"], results["teacher"])
    assert not torch.allclose(results["delta delta"], results["teacher"])  # students, from the frame before


def test_the_entry_of_a_stream_holds_speedup_and_its_bound(network, teacher):
    stream = streams_of({"delta": network}, torch.randn(1, *SIZE))["delta"]
    times = {"teacher": [8.0, 8.0], "delta key": [8.0, 8.0], "delta delta": [2.0, 2.0]}
    timings = Timings({name: np.array(values) for name, values in times.items()})
    entry = describe_stream(timings, "delta", stream, teacher, size=SIZE, lengths=[3])
    assert entry["amortised_ms"] == {3: pytest.approx(4)}
    assert entry["speedup"] == {3: pytest.approx(2)}
    assert entry["macs_bound"] == {3: pytest.approx(3 * KEY / (KEY + 2 * DELTA))}
    assert entry["state_bytes"] == stream.state_bytes > 0
    assert describe_teacher(timings) == {"frame_ms": {"median": 8, "p95": 8}}
