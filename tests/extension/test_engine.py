"""An engine from outside: one that keeps the maps in half precision, named by its path."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

import deltadistill as dd

ENGINE = '''
"""Runs as ONNX Runtime does, and keeps the maps in half the memory."""

import numpy as np

from deltadistill.runtime.onnxruntime_engine import OnnxRuntime


class HalfMaps(OnnxRuntime):
    def open(self, graphs, **settings):
        return Session(super().open(graphs, **settings))


class Session:
    def __init__(self, session):
        self.frame, self._session = session.frame, session

    def key(self, frame, *, into=None):
        outputs, maps = self._session.key(frame)
        return outputs, [value.numpy().astype(np.float16) for value in maps]

    def delta(self, frame, maps):
        import onnxruntime
        wide = [onnxruntime.OrtValue.ortvalue_from_numpy(value.astype(np.float32)) for value in maps]
        return self._session.delta(frame, wide)


ENGINE = HalfMaps()
'''


@pytest.fixture
def runner(tmp_path, monkeypatch):
    (tmp_path / "half_maps.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "half_maps", raising=False)
    plain = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
    network = dd.convert(plain.eval(), dd.LinearStudent(), where=dd.all_convolutions)
    dd.export(network, tmp_path / "runner", example=torch.rand(1, 3, 8, 8), period=3)
    return tmp_path / "runner"


def test_it_is_found_by_its_path_and_runs_a_runner(runner):
    clip = np.random.default_rng(0).random((3, 1, 3, 8, 8), dtype=np.float32)
    own, plain = (dd.Runner(runner, engine=name) for name in ("half_maps:ENGINE", "onnxruntime"))
    for number, frame in enumerate(clip):
        np.testing.assert_allclose(own(frame), plain(frame), rtol=0, atol=1e-2 if number else 0)


def test_a_path_that_leads_nowhere_is_said(runner):
    with pytest.raises(ValueError, match="engine 'half_maps:quick': the module half_maps has no 'quick'"):
        dd.Runner(runner, engine="half_maps:quick")
