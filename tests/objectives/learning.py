"""An objective learns: of a delta network with and without labels, in parts, and of a network per frame."""

import pytest
import torch
from objectives.test_making_and_keeping import setting
from training.toy_trainings import Brightness, small_network

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.distillation.per_frame import PerFrameDistillation
from deltadistill.distillation.search import learning_parameters
from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import further_terms, own_modules
from deltadistill.objectives.setting import Setting
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training import optimiser as optimisers
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimiser import Course
from deltadistill.training.passes import Passes


def brightness(clips):
    return clips.double() / 255


SHARED = {"seed": 0, "tune_score": None, "clip_of": brightness}
UNSEARCHED = {"beta": 0.0, "search": None, "costs": None}


def optimised(network, learning, terms, at_once=None):
    own = own_modules(terms)
    groups = [(learning, 0.003), *((module.parameters(), 0.003) for module in own.values())]
    optimiser = optimisers.build("adamw", groups, weight_decay=0, momentum=0)
    passes = Passes(frames_at_once=at_once)
    return OptimisedNetwork(network, optimiser, Course(4, "constant"), passes=passes, companions=own)


def of_deltas(chosen, at_once=None):
    """A training of a delta network by one objective alone, in float64."""
    where = setting()
    where.network.double()
    where = Setting(where.network, where.frames.double(), where.size, where.task)
    torch.manual_seed(1)
    terms = further_terms(chosen, where, steps=4)
    for block in delta_blocks(where.network).values():
        block.decide("compressed")
    students, _ = learning_parameters(where.network)
    return DistillTraining(optimised(where.network, students, terms, at_once), terms, **SHARED, **UNSEARCHED)


def per_frame(chosen, at_once=None):
    """A training of a narrower network by one objective alone, in float64."""
    torch.manual_seed(2)
    student = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(6, 6, 3, padding=1),
        torch.nn.ReLU(), torch.nn.Conv2d(6, 2, 1), torch.nn.Upsample(scale_factor=2),
    ).double()  # fmt: skip
    teacher = small_network().double().eval()
    frames = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    terms = further_terms(chosen, Setting(student, frames, (8, 8), Segmentation(2), teacher=teacher), steps=4)
    learning = optimised(student, student.parameters(), terms, at_once)
    return PerFrameDistillation(learning, terms, teacher=teacher, **SHARED)


def falls(trainee, frames, steps=4):
    """The losses of some steps on the same batch; they fall, and nothing of them is NaN."""
    batch = Brightness(frames)[0]
    losses = [trainee.step(index, batch)["loss"] for index in range(steps)]
    assert losses[-1] < losses[0]
    return losses


def learns_everywhere(name, options, *, per_frame_options=None):
    """Falls for both kinds of students, by whole batches and by parts alike, and without labels."""
    chosen = {name: {"options": options}}
    whole = falls(of_deltas(chosen), 3)
    assert falls(of_deltas(chosen, at_once=3), 3) == pytest.approx(whole, rel=1e-8)
    if per_frame_options is not None:
        chosen = {name: {"options": per_frame_options}}
        whole = falls(per_frame(chosen), 1)
        assert falls(per_frame(chosen, at_once=1), 1) == pytest.approx(whole, rel=1e-8)
    network = dd.convert(small_network(), dd.LinearStudent(gamma=2))
    clips, without = torch.rand(2, 2, 3, 8, 8), {name: {"weight": 0.1, "options": options}}
    assert len(dd.distill(network, clips, steps=2, objectives=without, progress=False)) == 2
