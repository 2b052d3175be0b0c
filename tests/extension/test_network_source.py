"""A network source from outside: networks drawn from a recipe, which model.name names by its path."""

import shutil
from pathlib import Path

import pytest
import torch
from data.small_dataset import SIZE, make_manifest

from deltadistill import Stream, load_network, models, save_network
from deltadistill.data.frames import FrameStore
from deltadistill.pipeline import experiments as overlay
from deltadistill.pipeline import params
from deltadistill.pipeline.code_of_stages import code_of_stages
from deltadistill.pipeline.recipe_of_distillation import distill
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.tasks.segmentation import Segmentation

ROOT = Path(__file__).resolve().parents[2]
SOURCE = """
from torch import nn

def by_recipe(*, classes, widths):
    channels = [3, *widths]
    layers = [nn.Conv2d(a, b, 3, padding=1) for a, b in zip(channels, channels[1:])]
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], classes, 1))
"""
TOY = {"steps": 2, "batch": 2, "evaluate_every": 1, "max_distance": 2, "augment.crop": list(SIZE)}


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "extensions" / "code").mkdir(parents=True)
    (tmp_path / "extensions" / "code" / "recipes.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    toy = [f"distill.{key}={value}" for key, value in TOY.items()] + ["distill.search.target.cost=0.9"]
    model = ["model.name='extensions.code.recipes:by_recipe'", "model.options={widths: [8, 16, 16]}"]
    overlay.put(ROOT / "experiments" / "own_network.yaml", [*toy, *model])
    return params.load("params.yaml")


def test_its_network_is_noted_distilled_and_loaded_again(experiment, tmp_path):
    store = FrameStore(make_manifest(tmp_path))
    model = {**experiment.model.model_dump(), "classes": len(store.classes)}
    teacher = models.build(model["name"], classes=model["classes"], **model["options"]).eval()
    settings, task = experiment.distill.of_training("delta"), Segmentation(model["classes"])
    trained = distill(teacher, task, store, settings, predicts="delta", seed=0, run=TrainingRun())
    save_network(tmp_path / "network.pt", trained.network, model, architecture=trained.architecture)
    loaded = load_network(tmp_path / "network.pt", own_names=[experiment.model.name])
    streams = [Stream(network.eval(), period=2) for network in (loaded, trained.network)]
    assert torch.equal(*(stream(torch.ones(1, 3, *SIZE)) for stream in streams))
    shutil.copytree(ROOT / "stages", "stages")
    noted = code_of_stages(experiment, tmp_path)
    users = {name for name, files in noted.items() if "extensions/code/recipes.py" in files}
    assert {"pretrain_teacher.json", "distill/delta.json", "analyze_consistency/delta.json"} <= users
    assert not {"prepare_dataset.json", "write_report.json"} & users
