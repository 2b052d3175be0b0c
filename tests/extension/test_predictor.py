"""A predictor from outside the package, named in params.yaml alone: scored, compared over time, and timed."""

from extension.toy_evaluation import evaluated

PREDICTOR = '''
import torch
from torch.nn.functional import interpolate

from deltadistill.account.cost import FrameCosts
from deltadistill.predictors.predictor import Predictor


class Coarse(Predictor):
    """Between key frames the network sees every `step`-th row and column only."""

    has_delta_frames = True

    def __init__(self, network, task, *, step):
        self.network, self.task, self.step = network, task, step

    def begin(self, stream):
        self.schedule = stream.schedule

    @torch.no_grad()
    def answer(self, frame):
        self.is_key_frame = self.schedule.is_due(frame.pictures)
        self.schedule.note(frame.pictures, is_key=self.is_key_frame)
        step = 1 if self.is_key_frame else self.step
        output = self.network(frame.normalised[..., ::step, ::step])
        output = interpolate(output, frame.pictures.shape[-2:])
        return self.task.predict(output, network=self.network)

    def costs(self, networks):
        full = networks["network"].key
        return FrameCosts(key=full, delta=full / self.step**2)
'''


def test_a_predictor_of_ones_own_goes_through_sweep_consistency_and_latency(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(PREDICTOR)
    entry = {"network": "pretrain_teacher", "predict": "mine:Coarse", "options": {"step": 2}}
    sweep, consistency, latency = evaluated(tmp_path, monkeypatch, "coarse", entry)

    at_one, at_three = sweep["lengths"]["1"], sweep["lengths"]["3"]
    assert at_three["macs_ratio"] == (1 + 2 / 4) / 3
    assert at_three["miou_per_distance"][0] == at_one["miou"]
    assert set(consistency["lengths"]) == {"1", "3"}
    assert latency["macs_bound"]["coarse"]["3"] == 2
    assert [condition["batch"] for condition in latency["conditions"]] == [1, 2]
    for condition in latency["conditions"]:
        times = condition["engines"]["eager"]["coarse"]
        for part in ("network", "end_to_end"):
            assert set(times[part]["speedup"]) == set(times[part]["amortised_ms"]) == {"1", "3"}
            assert times[part]["key_ms"]["median"] > 0 < times[part]["delta_ms"]["median"]
