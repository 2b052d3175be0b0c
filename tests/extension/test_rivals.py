"""The library's rivals, as params.yaml names them: scored and timed."""

import pytest
from extension.toy_evaluation import evaluated

RIVALS = {
    "moved": {"options": {"motion": "encoded"}},
    "deep_feature_flow": {"options": {"split": "final_layer"}},
    "skip_convolutions": {"options": {"threshold": 0.2}},
    "low_resolution": {"networks": {"low": "distill/small"}},
}


@pytest.mark.parametrize("predict", RIVALS)
def test_a_rival_is_scored_and_timed(predict, tmp_path, monkeypatch):
    entry = {"network": "pretrain_teacher", "predict": predict, **RIVALS[predict]}
    stages = ("sweep_sequence_length", "measure_latency")
    given = {"stages": stages, "engines": ["eager"]}
    sweep, latency = evaluated(tmp_path, monkeypatch, predict, entry, **given)
    costs = {int(length): found["macs_ratio"] for length, found in sweep["lengths"].items()}
    assert costs[3] < costs[1]
    assert latency["macs_bound"][predict]["3"] == pytest.approx(1 / costs[3], abs=1e-5)
    for condition in latency["conditions"]:
        for part in ("network", "end_to_end"):
            times = condition["engines"]["eager"][predict][part]
            assert times["key_ms"]["median"] > 0 < times["delta_ms"]["median"]
