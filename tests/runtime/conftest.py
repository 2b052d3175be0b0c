"""A small delta network, a video, and the runner made of them."""

import numpy as np
import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks


def small_network() -> nn.Module:
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 4, 1),
    )
    network = dd.convert(plain.eval(), dd.LinearStudent(gamma=2, keep_dearer=True), where=dd.all_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


@pytest.fixture(scope="session")
def network():
    return small_network()


@pytest.fixture(scope="session")
def clip() -> np.ndarray:
    generator = np.random.default_rng(1)
    still = generator.random((1, 3, 16, 24), dtype=np.float32)
    return still + 0.2 * generator.random((12, 1, 3, 16, 24), dtype=np.float32)


@pytest.fixture(scope="session")
def folder(network, clip, tmp_path_factory):
    place = tmp_path_factory.mktemp("runner") / "runner"
    dd.export(network, place, example=torch.from_numpy(clip[0]), period=4)
    return place


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    """Times of engines are remembered in the test's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "deltadistill" / "engine_times.json"
