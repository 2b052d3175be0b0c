"""A schedule of key frames from outside, over whole videos, for a predictor with two networks."""

from extension.toy_evaluation import RESULTS, evaluated

MINE = '''
from deltadistill.account.cost import FrameCosts
from deltadistill.blocks.schedules import OnDemand
from deltadistill.predictors.per_frame import PerFrame
from deltadistill.predictors.predictor import Predictor


class Bright(OnDemand):
    """A frame is a key frame where its mean brightness is above a level."""

    def __init__(self, level):
        self.level = level
        super().__init__()

    def is_due(self, frame):
        return super().is_due(frame) or bool(frame.float().mean() > self.level)


class TwoNetworks(Predictor):
    """A large network on key frames, a small one on the others."""

    def __init__(self, network, task, *, small):
        self.large, self.small = PerFrame(network, task), PerFrame(small, task)

    def begin(self, stream):
        self.schedule = stream.schedule

    def answer(self, frame):
        self.is_key_frame = self.schedule.is_due(frame.pictures)
        self.schedule.note(frame.pictures, is_key=self.is_key_frame)
        return (self.large if self.is_key_frame else self.small).answer(frame)

    def costs(self, networks):
        return FrameCosts(key=networks["network"].key, delta=networks["small"].key)
'''
ENTRY = {"network": "pretrain_teacher", "networks": {"small": "distill/small"}, "predict": "mine:TwoNetworks"}
SCHEDULES = {
    "bright": {"schedule": "mine:Bright", "options": {"level": 14.9}},  # of frames 0 … 5 the last two
    "every_2": {"schedule": "fixed", "options": {"period": 2}},
}


def test_both_are_named_in_the_parameters_alone_and_measured_over_whole_videos(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    sweep, videos, consistency, latency = evaluated(
        tmp_path, monkeypatch, "two", ENTRY, stages=list(RESULTS), schedules=SCHEDULES
    )
    small = sweep["lengths"]["3"]["macs_ratio"] * 3 / 2 - 1 / 2  # of a frame, over the large network's
    assert 0 < small < 0.5
    bright, often = (videos["schedules"][name] for name in SCHEDULES)
    assert [point["key_frames"] for point in bright["curve"]] == [1, 0, 0, 0, 1, 1]
    assert [point["key_frames"] for point in often["curve"]] == [1, 0, 1, 0, 1, 0]
    assert abs(bright["macs_ratio"] - (1 + small) / 2) < 1e-9
    assert bright["whole"]["miou"] == bright["videos"]["test0"]["miou"] is not None
    timed = latency["conditions"][0]["engines"]["eager"]["two"]["network"]["speedup"]
    assert set(consistency["lengths"]) == set(timed) == {"1", "3"}
