"""Milliseconds for a search: what is measured, and at which length the table is taken."""

from types import SimpleNamespace

import pytest
from architectures import build

import deltadistill as dd
from deltadistill.distillation import search_milliseconds


@pytest.fixture
def asked(monkeypatch):
    """What the measurement is asked for, and then its table."""
    asked = []

    def measure(network, example, **settings):
        asked.append((tuple(example.shape), network.training, settings))
        return SimpleNamespace(table_at=lambda length: asked.append(length) or "the table")

    monkeypatch.setattr(search_milliseconds, "measure_layers", measure)
    return asked


def test_candidates_are_measured_as_a_training_leaves_them_in_the_engine_that_is_named(asked):
    network = dd.convert(build("in place"), dd.LinearStudent(gamma=2)).train()
    settings = {"engine": "onnxruntime", "threads": 3, "precision": "bf16", "seconds": 5.0}
    assert search_milliseconds.milliseconds(network, (3, 8, 12), length=4, **settings) == "the table"
    assert asked == [((1, 3, 8, 12), False, {**settings, "trained": True}), 4]
    assert network.training


def test_without_a_length_what_is_prepared_on_key_frames_comes_to_nothing(asked):
    network = dd.convert(build("in place"), dd.LinearStudent(gamma=2))
    search_milliseconds.milliseconds(network, (3, 8, 12), length=None)
    assert asked[0][2] | {"seconds": 0} == {
        "engine": "auto", "threads": None, "precision": "fp32", "trained": True, "seconds": 0
    }  # fmt: skip
    assert asked[1] > 1e6
