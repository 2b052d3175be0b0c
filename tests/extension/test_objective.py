"""An objective from outside: attention transfer (Zagoruyko, Komodakis, ICLR 2017), with its own adapter."""

import pytest
import torch
from data.small_dataset import SIZE, make_manifest
from distributed.equal_recipes import default_of, street_network
from torch import nn
from training.test_recipes import toy

import deltadistill as dd
from deltadistill.data.frames import FrameStore
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.taps import Taps
from deltadistill.pipeline.params.named import named_entries
from deltadistill.pipeline.recipe_of_distillation import distill
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training.passes import Passes

NAME = "extension.test_objective:AttentionTransfer"


class AttentionTransfer(Objective):
    def __init__(self, setting, *, module):
        super().__init__()
        self.module, width = module, setting.maps(module)[0].shape[1]
        self.adapter = nn.Conv2d(width, width, 1)

    @property
    def taps(self):
        return Taps(modules=(self.module,))

    def extent(self, seen):
        return seen.teacher_maps(self.module)[0].square().sum()

    def loss(self, seen, of):
        own, taught = self.adapter(seen.maps(self.module)[0]), seen.teacher_maps(self.module)[0]
        return (own.square().mean(1) - taught.square().mean(1)).square().sum() / of


def test_it_learns_beside_the_others_and_parts_of_a_batch_add_up_to_the_whole(tmp_path):
    settings = toy(loss={"objectives": {NAME: {"weight": 0.5, "options": {"module": "conv1"}}}}).distill
    assert NAME in named_entries(settings)  # so that its code is noted with the stage's
    store, curves = FrameStore(make_manifest(tmp_path)), []
    for at_once in (None, 2):  # one pass, and one for each clip
        with default_of(torch.float64):
            teacher, task = street_network(len(store.classes)), Segmentation(len(store.classes))
            run = TrainingRun(passes=Passes(frames_at_once=at_once))
            trained = distill(teacher, task, store, settings, predicts="delta", seed=0, run=run)
        assert not any("adapter" in name for name in trained.network.state_dict())
        curves.append(trained.outcome.curve)
    assert curves[0][0][NAME] > 0
    assert [pytest.approx(row, rel=1e-9) for row in curves[0]] == curves[1]


def test_it_learns_without_labels():
    network = dd.convert(street_network(2), dd.LinearStudent(gamma=2), dd.inner_convolutions)
    chosen = {NAME: {"options": {"module": "conv1"}}}
    assert len(dd.distill(network, torch.randn(2, 2, 3, *SIZE), steps=2, objectives=chosen)) == 2
