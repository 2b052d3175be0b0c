"""A task from outside the package, named by the data set's description: how bright a frame is, 0 to 1."""

import json
import runpy
import sys
from pathlib import Path

from ruamel.yaml import YAML

STAGES = Path(__file__).resolve().parents[2] / "stages"
MINE = """import cv2, numpy as np
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import SPLITS, DatasetInfo, Frame, Manifest
from deltadistill.metrics.measures import Measure
from deltadistill.tasks.task import Scores, Task
class Close:
    seen = ()
    def update(self, one, other): self.seen = (*self.seen, 100 * (1 - min(1, abs(float(one) - float(other)))))
    def state(self): return self.seen or None
    def add(self, state): self.seen += state
    percent = coverage_percent = lambda self: sum(self.seen) / len(self.seen)
class Brightness(Task):
    measure, meter, metric, ways = Measure("close", "close", "of", "of"), Close, Close, [("frames", "all")]
    of_dataset = classmethod(lambda cls, info, *, boxes, loss: cls())
    def loss(self, output, targets, of, *, group, network): return (output[:, 0] - targets).abs().mean()
    def predict(self, output, *, network): return list(output[:, 0])
    def reference(self, store): return lambda frame: frame.target
    def scores(self, metric): return Scores({"close": metric.percent() / 100}, [1.0])
    def as_array(self, predictions): return np.array([float(one) for one in predictions])
    def agreement(self, store): return self
    def between(self, pairs): yield self.ways[0], lambda meter, *both: [meter.update(*p) for p in zip(*both)]
def write(folder):
    frames = [Frame(s, t, s, folder / f"{s}{t}.png", target=t / 4) for s in SPLITS for t in range(4)]
    [cv2.imwrite(str(one.image), np.full((16, 24, 3), 63 * one.index, np.uint8)) for one in frames]
    info = {"classes": (ClassEntry("tone", (0, 0, 0), ()),), "named_task": "brightness:Brightness"}
    Manifest.of(frames, DatasetInfo("own", (16, 24), **info)).write(folder / "manifest.csv")"""
TONE = """from torch import nn
build = lambda classes: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))"""


def test_a_task_of_ones_own_is_trained_scored_compared_and_timed(tmp_path, monkeypatch):
    for name, text in {"brightness.py": MINE, "networks/tone.py": TONE, "weights/random": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    [change(tmp_path) for change in (monkeypatch.chdir, monkeypatch.syspath_prepend)]
    monkeypatch.setenv("DELTADISTILL_TRACKING", "off")
    __import__("brightness").write(tmp_path)  # imported, so that the description may name it
    params = YAML(typ="safe").load(STAGES.parent / "params.yaml") | {"model": {"name": "tone", "options": {}}}
    params["variants"] = {"teacher": params["variants"]["teacher"]}
    params["pretrain_teacher"] |= {"steps": 2, "evaluate_every": 1}
    params["sweep_sequence_length"]["lengths"] = params["write_report"]["picture_lengths"] = [1, 2]
    YAML().dump(params, tmp_path / "params.yaml")
    one, kept = "--seed 0 --variant teacher --network teacher.pt", "--artifacts . --teacher teacher.pt"
    stages = {"pretrain_teacher": "--start-from weights/random --artifacts .", "analyze_consistency": one}
    stages |= {
        "sweep_sequence_length": f"{one} {kept}",
        "measure_latency": "--teacher teacher.pt --artifacts .",
    }
    for name, given in stages.items():
        monkeypatch.setattr(sys, "argv", [name, *f"{given} --data . --results .".split()])
        runpy.run_path(str(STAGES / f"{name}.py"), run_name="__main__")
    found = [json.loads(Path(f"{n}.json").read_text())["lengths"]["2"] for n in ("sweep", "consistency")]
    assert all(0 < x <= 100 for x in (found[0]["close"], found[1]["frames"]["all"]["consistency"]))
