"""experiments/own_network.yaml at toy size: an unknown network, distilled without a label."""

import shutil
from pathlib import Path

import pytest
import torch
from data.small_dataset import SIZE, make_manifest

from deltadistill import Stream, load_network, models, save_network
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.frames import inputs
from deltadistill.pipeline import experiments as overlay
from deltadistill.pipeline import params
from deltadistill.pipeline.recipe_of_distillation import distill
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.tasks.segmentation import Segmentation

ROOT = Path(__file__).resolve().parents[2]
TOY = (
    "distill.steps=2",
    "distill.batch=2",
    "distill.evaluate_every=1",
    "distill.max_distance=2",
    f"distill.augment.crop={list(SIZE)}",
    "distill.search.target.cost=0.75",
)


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """The parameters with the overlay on, in a folder of their own that has the project's networks."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "networks", tmp_path / "networks")
    monkeypatch.chdir(tmp_path)
    overlay.put(ROOT / "experiments" / "own_network.yaml", TOY)
    return params.load("params.yaml")


def test_the_experiment_ends_with_a_network_that_streams_and_loads_again(experiment, tmp_path):
    store = FrameStore(make_manifest(tmp_path))
    model = {"name": experiment.model.name, "classes": len(store.classes), "options": {}}
    torch.manual_seed(0)
    teacher = models.build(model["name"], classes=model["classes"]).eval()
    settings = experiment.distill.of_training("delta")
    trained = distill(
        teacher, Segmentation(model["classes"]), store, settings, predicts="delta", seed=0, run=TrainingRun()
    )
    assert set(trained.architecture["blocks"].values()) == {"compressed", "uncompressed"}

    save_network(tmp_path / "network.pt", trained.network, model, architecture=trained.architecture)
    frames = inputs(store, store.manifest.clips("test")["test0"])
    as_trained, as_loaded = (
        Stream(network.eval(), period=3)
        for network in (trained.network, load_network(tmp_path / "network.pt"))
    )
    for frame in frames:
        assert torch.equal(as_loaded(frame[None]), as_trained(frame[None]))
