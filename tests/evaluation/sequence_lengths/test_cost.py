"""Cost and time of a predictor per frame."""

import numpy as np
import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.latency import Timings
from deltadistill.evaluation.costs_by_length import costs_by_length
from deltadistill.evaluation.frame_times import calls_to_time, describe_teacher, describe_variant, timed
from deltadistill.predictors.frame_batch import FrameBatch
from deltadistill.predictors.predictor import build

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
    costs = costs_by_length(build("stream", network, None), network, teacher, [1, 4], size=SIZE)
    assert costs[1] == {"gmacs": KEY / 1e9, "macs_ratio": 1}
    amortised = (KEY + 3 * DELTA) / 4
    assert costs[4] == pytest.approx({"gmacs": amortised / 1e9, "macs_ratio": amortised / KEY})


def test_copies_cost_nothing(teacher):
    costs = costs_by_length(build("copy", teacher, None), teacher, teacher, [4], size=SIZE)
    assert costs[4]["macs_ratio"] == pytest.approx(1 / 4)


def test_a_predictor_that_says_no_macs_is_refused(teacher):
    class Silent:
        def costs(self, networks):
            return FrameCosts(Cost(macs=5), self.later)

    silent = Silent()
    silent.later = Cost(macs=2)
    assert costs_by_length(silent, teacher, teacher, [5], size=SIZE)[5]["gmacs"] == pytest.approx(2.6e-9)
    silent.later = Cost()
    with pytest.raises(ValueError, match=r"Silent\.costs leaves the MACs of a frame open, .*the x-axis"):
        costs_by_length(silent, teacher, teacher, [1, 3], size=SIZE)


def frame_batches(count):
    draws = torch.Generator().manual_seed(0)
    return [
        FrameBatch(torch.randint(256, (1, *SIZE), dtype=torch.uint8, generator=draws)) for _ in range(count)
    ]


def test_times_are_of_teacher_key_and_delta_frames(network, teacher):
    before, now = frame_batches(2)
    variants = {"delta": timed("stream", network, before)}
    results = {name: call() for name, call in calls_to_time(teacher, variants, now).items()}
    assert set(results) == {"teacher", "delta key", "delta delta"}
    assert not any(result.requires_grad for result in results.values())
    torch.testing.assert_close(results["delta key"], results["teacher"])
    assert not torch.allclose(results["delta delta"], results["teacher"])  # students, from the frame before


def test_the_entry_of_a_stream_holds_speedup_and_its_bound(network, teacher):
    variant = timed("stream", network, *frame_batches(1))
    times = {"teacher": [8.0, 8.0], "delta key": [8.0, 8.0], "delta delta": [2.0, 2.0]}
    timings = Timings({name: np.array(values)[:, None] for name, values in times.items()})
    entry = describe_variant(timings, "delta", variant, teacher, size=SIZE, lengths=[3])
    assert entry["amortised_ms"] == {3: pytest.approx(4)}
    assert entry["speedup"] == {3: pytest.approx(2)}
    assert entry["macs_bound"] == {3: pytest.approx(3 * KEY / (KEY + 2 * DELTA))}
    assert (
        entry["state_bytes"] == variant.delta.state_bytes == 64 * 2 * 8 * 4
    )  # input and output of the converted layer
    assert describe_teacher(timings) == {"frame_ms": {"median": 8, "p95": 8}}
