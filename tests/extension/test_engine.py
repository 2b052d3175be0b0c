"""An engine from outside: one that keeps the maps in half precision, named by its path."""

import sys

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.runtime.engine import load

ENGINE = '''
"""Runs as the eager engine does, and keeps the maps in half the memory."""

from deltadistill.runtime import eager


def load(network, example):
    return HalfMaps(eager.load(network, example))


class HalfMaps:
    def __init__(self, running):
        self._running = running

    def key(self, frame):
        outputs, maps = self._running.key(frame)
        return outputs, {name: value.half() for name, value in maps.items()}

    def delta(self, frame, maps):
        return self._running.delta(frame, {name: value.float() for name, value in maps.items()})
'''


@pytest.fixture
def network(tmp_path, monkeypatch):
    (tmp_path / "half_maps.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "half_maps", raising=False)
    plain = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
    return dd.convert(plain.eval(), dd.LinearStudent(), where=dd.all_convolutions)


def test_it_is_found_by_its_path_and_runs_a_network(network):
    clip = [torch.rand(1, 3, 8, 8) for _ in range(3)]
    running = load(network, clip[0], engine="half_maps:load")
    output, maps = running.key(clip[0])
    assert {value.dtype for value in maps.values()} == {torch.float16}
    stream = dd.Stream(network, period=3)
    expected = [stream(frame) for frame in clip]
    assert torch.equal(output, expected[0])
    for frame, output in zip(clip[1:], expected[1:], strict=True):
        torch.testing.assert_close(running.delta(frame, maps), output, rtol=0, atol=1e-2)


def test_a_path_that_leads_nowhere_is_said(network):
    with pytest.raises(ValueError, match="engine 'half_maps:quick': the module half_maps has no 'quick'"):
        load(network, torch.rand(1, 3, 8, 8), engine="half_maps:quick")
