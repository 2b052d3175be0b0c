"""latency.json: which engine is the fastest, and files of before there were engines."""

import json
from pathlib import Path

import pytest

from deltadistill.pipeline.results.files import read_json, write
from deltadistill.pipeline.results.latency_file import (
    Condition,
    Latency,
    LeftOut,
    Times,
    Timing,
    VariantTimes,
)

ROOT = Path(__file__).resolve().parents[3]
OLD = sorted(ROOT.glob("results/*/measure_latency/latency.json"))


def per_frame(ms, speedup):
    return VariantTimes(Times(frame_ms=Timing(ms, ms), speedup={1: speedup}))


def stream(**amortised):
    by_length = {int(length[1:]): ms for length, ms in amortised.items()}
    return VariantTimes(
        Times(
            key_ms=Timing(9, 9),
            delta_ms=Timing(3, 3),
            amortised_ms=by_length,
            speedup={length: 12 / ms for length, ms in by_length.items()},
        ),
        state_bytes=64,
    )


@pytest.fixture
def condition():
    engines = {
        "eager": {"teacher": per_frame(20, 0.6), "delta": stream(T1=10, T3=5)},
        "fast": {"teacher": per_frame(12, 1), "delta": stream(T1=8, T3=6)},
    }
    return Condition(1, 1, 20, {"network": "fast"}, engines)


def test_the_fastest_engine_may_differ_between_variants_and_lengths(condition):
    fastest = {(name, t): condition.fastest(name, t)[0] for name in ("teacher", "delta") for t in (1, 3)}
    assert fastest == {
        ("teacher", 1): "fast",
        ("teacher", 3): "fast",
        ("delta", 1): "fast",
        ("delta", 3): "eager",
    }
    assert condition.fastest("delta", 10) is None
    assert condition.fastest("copy", 3) is None
    assert condition.fastest("delta", 3, "end_to_end") is None
    assert condition.variants == ["teacher", "delta"]


def test_what_treats_all_frames_alike_takes_the_same_at_every_length(condition):
    times = condition.times("teacher")["fast"]
    assert [times.ms_at(length) for length in (1, 3, 10)] == [12] * 3
    assert [times.speedup_at(length) for length in (1, 3, 10)] == [1] * 3
    assert condition.times("delta")["fast"].speedup_at(3) == 2


def test_a_record_is_written_as_it_is_read(condition, tmp_path):
    latency = Latency(
        (3, 8, 8), (condition,), {"delta": {3: 2.0}}, (LeftOut("fast", "copy", "why"),), {"features": ["amx"]}
    )
    write(tmp_path / "latency.json", latency)
    assert read_json(tmp_path / "latency.json", Latency, stage="measure_latency") == latency


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.parts[-3])
def test_committed_files_of_before_engines_are_read_as_one_condition(path):
    content = json.loads(path.read_text())
    if "variants" not in content:
        pytest.skip("made since there are engines")
    latency = read_json(path, Latency, stage="measure_latency")
    (condition,) = latency.conditions
    assert (condition.batch, condition.threads, condition.rounds) == (1, content["threads"], content["runs"])
    assert condition.baselines == {"network": "eager"}
    engine, times = condition.fastest("delta", 3)
    delta = content["variants"]["delta"]
    assert engine == "eager"
    assert times.ms_at(3) == delta["amortised_ms"]["3"]
    assert times.speedup_at(3) == delta["speedup"]["3"]
    assert latency.macs_bound["delta"][3] == delta["macs_bound"]["3"]
    assert condition.engines["eager"]["delta"].state_bytes == delta["state_bytes"]
    assert condition.fastest("teacher", 3)[1].speedup_at(3) == 1


@pytest.mark.parametrize(
    "content", [{}, {"variants": 3}, {"variants": {"delta": 3}}, {"size": [3, 8, 8], "conditions": []}]
)
def test_what_is_no_such_file_is_refused_with_the_stage_that_makes_it(content, tmp_path):
    path = tmp_path / "latency.json"
    path.write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r"latency\.json is malformed: .* run the stage measure_latency again"
    ):
        read_json(path, Latency, stage="measure_latency")
