"""Trainings of a toy network that end in an instant: per frame, delta and feature distillation."""

import torch
from torch import nn
from torch.utils.data import Dataset

import deltadistill as dd
from deltadistill.account.candidate_costs import macs_of_blocks
from deltadistill.distillation.search_course import SearchCourse
from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import equation_5
from deltadistill.objectives.setting import Setting
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training import optimiser as optimisers
from deltadistill.training.loop import train
from deltadistill.training.moving_average import MovingAverage
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimiser import Course
from deltadistill.training.precision import Precision
from deltadistill.training.single_frames import PerFrameTraining

STEPS = 12
SCORES = {4: 10, 8: 30, 12: 20}  # after so many steps: which network is the best must not hang on rounding


class Brightness(Dataset):
    """Clips whose label is whether a pixel is bright; later frames are brighter. A function of the step."""

    def __init__(self, frames):
        self.frames = frames

    def __len__(self):
        return STEPS

    def __getitem__(self, step):
        generator = torch.Generator().manual_seed(step)
        key = torch.randint(0, 200, (2, 1, 3, 8, 8), generator=generator)
        clip = (key + 25 * torch.arange(self.frames).view(1, -1, 1, 1, 1)).to(torch.uint8)
        return {"clip": clip, "label": (clip[:, :, 0] > 110).to(torch.uint8)}


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 2, 1),
    )  # fmt: skip


def score(network, optimiser):
    """The scripted score of this step, a whole number; any other weights would change what comes after it."""
    steps = max(int(state["step"]) for state in optimiser.state.values())
    weights = sum(weights.double().sum().item() for weights in network.parameters())
    return SCORES[steps] + weights * 1e4 % 1


def per_frame_trainee(rate=0.01, **options):
    network = small_network()
    optimiser = optimisers.build("adamw", [(network.parameters(), rate)], weight_decay=0, momentum=0)
    optimised = OptimisedNetwork(network, optimiser, Course(STEPS, "one_cycle"), **options)
    return PerFrameTraining(optimised, Segmentation(2), tune_score=lambda _: score(network, optimiser))


def distill_trainee(predicts="delta", task="labels", budget=None, alpha_steps=None, **options):
    network = dd.convert(small_network(), dd.LinearStudent(gamma=2), predicts=predicts)
    optimiser = optimisers.build("adamw", [(network.parameters(), 0.01)], weight_decay=0, momentum=0)
    setting = Setting(network, torch.zeros(1, 3, 8, 8), (8, 8), Segmentation(2))
    return DistillTraining(
        OptimisedNetwork(network, optimiser, Course(STEPS, "constant"), clip_norm=1.0, **options),
        equation_5(setting, alpha=1.0, task=task, alpha_steps=alpha_steps),
        beta=0.5,
        search=SearchCourse(warmup=2, freeze=6, budget=budget),
        costs=macs_of_blocks(dd.count_macs(network, (3, 8, 8))),
        seed=4,
        tune_score=lambda _: score(network, optimiser),
    )


TRAINEES = {
    "per frame": (per_frame_trainee, 1),
    "delta": (distill_trainee, 2),
    "delta on longer clips": (distill_trainee, 3),
    "feature": (lambda: distill_trainee("feature"), 2),
    "per frame, averaged": (lambda: per_frame_trainee(average=MovingAverage(0.7)), 1),
    "delta, averaged, in bfloat16": (
        lambda: distill_trainee(average=MovingAverage(0.7), precision=Precision("bfloat16"), alpha_steps=5),
        2,
    ),
}


def run(trainee, frames, **options):
    return train(trainee, Brightness(frames), steps=STEPS, evaluate_every=4, seed=0, log_every=1, **options)
