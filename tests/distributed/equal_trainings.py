"""Trainings of a toy network whose curves must not depend on how many processes share a batch.

    torchrun --nproc-per-node 2 equal_trainings.py FILE

The first process writes the curves of all of them to FILE, in both precisions, and again with the batch in
several passes.
"""

import json
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

import deltadistill as dd
from deltadistill.account.candidate_costs import macs_of_blocks
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.moved_rule import MovedDeltaRule
from deltadistill.distillation.search_course import SearchCourse
from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import equation_5
from deltadistill.objectives.setting import Setting
from deltadistill.processes import group as processes
from deltadistill.processes.group import Group
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training import optimiser as optimisers
from deltadistill.training.batch_norm import synchronised_batch_norm
from deltadistill.training.loop import train
from deltadistill.training.moving_average import MovingAverage
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimiser import Course
from deltadistill.training.passes import Passes
from deltadistill.training.single_frames import PerFrameTraining

STEPS, CLIPS, SIZE = 8, 5, (8, 12)
SEED = 2  # the gate draws the compressed candidate first: the other one starts without any error


class Streets(Dataset):
    """Clips of random pixels that drift, unlike in contrast; labels with holes; a function of the step."""

    def __init__(self, frames, rows):
        self.frames, self.rows = frames, list(rows)

    def __len__(self):
        return STEPS

    def __getitem__(self, step):
        generator = torch.Generator().manual_seed(step)
        contrast = torch.tensor([20, 60, 100, 140, 180]).view(-1, 1, 1, 1, 1)
        key = torch.randint(0, 1000, (CLIPS, 1, 3, *SIZE), generator=generator) % contrast
        drift = torch.arange(self.frames).view(1, -1, 1, 1, 1) * torch.arange(5, 5 + CLIPS).view(
            -1, 1, 1, 1, 1
        )
        clip = (key + drift).to(torch.uint8)
        label = (clip[:, :, 0] > 40).to(torch.uint8) + (clip[:, :, 1] > 90)
        for number in range(CLIPS):  # an unlike number of labelled pixels in every clip
            label[number, :, : number + 1, :] = 255
        return {"clip": clip[self.rows], "label": label[self.rows]}


def network_of(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 1),
    )  # fmt: skip


def per_frame(passes, task, *, frozen=False, teacher=None, average=None):
    network = network_of() if frozen else synchronised_batch_norm(network_of(), passes.group)
    optimiser = optimisers.build("sgd", [(network.parameters(), 0.05)], weight_decay=1e-3, momentum=0.9)
    return PerFrameTraining(
        OptimisedNetwork(network, optimiser, Course(STEPS, "one_cycle"), 1.0, passes, average=average),
        Segmentation(3, **task),
        tune_score=lambda between: 0.0,
        frozen_batch_norm=frozen,
        teacher=teacher,
    )


def drift(clips):
    """A motion of whole pictures, another one for every clip and frame."""
    across = (clips[:, 1:].to(torch.get_default_dtype()).mean((2, 3, 4)) % 3)[:, :, None, None]
    return torch.stack([across, across - 1], 2).expand(-1, -1, -1, *SIZE)


def distill(passes, *, predicts="delta", task=None, compared="labels", alpha_steps=None, motion=None):
    network = dd.convert(network_of(), dd.LinearStudent(gamma=2), dd.inner_convolutions, predicts=predicts)
    for block in delta_blocks(network).values() if motion else ():
        block.rule = MovedDeltaRule()
    optimiser = optimisers.build("adamw", [(network.parameters(), 0.01)], weight_decay=0, momentum=0)
    setting = Setting(network, torch.zeros(1, 3, *SIZE), SIZE, Segmentation(3, **(task or {})))
    return DistillTraining(
        OptimisedNetwork(network, optimiser, Course(STEPS, "constant"), 1.0, passes),
        equation_5(setting, alpha=1.0, task=compared, alpha_steps=alpha_steps),
        beta=0.5,
        search=SearchCourse(warmup=2, freeze=5),
        costs=macs_of_blocks(dd.count_macs(network, (3, *SIZE))),
        seed=SEED,
        tune_score=lambda between: 0.0,
        motion_of=motion,
    )


HARD = {"name": "ohem", "ohem_threshold": 0.3, "ohem_keep": 0.5}  # the share decides at first
HARDER = {"name": "ohem", "ohem_threshold": 0.9, "ohem_keep": 0.1}
WEIGHED = {"class_weights": [1.0, 3.0, 0.5]}
KINDS = {  # by name: what makes the trainee, and the frames of a clip
    "teacher": (lambda p: per_frame(p, WEIGHED), 1),
    "teacher on hard pixels": (lambda p: per_frame(p, HARD), 1),
    "finetuned": (lambda p: per_frame(p, HARDER, frozen=True), 2),
    "small": (lambda p: per_frame(p, {}, frozen=True, teacher=network_of(1).eval()), 1),
    "averaged": (lambda p: per_frame(p, {}, frozen=True, average=MovingAverage(0.6)), 1),
    "delta": (distill, 2),
    "delta, alpha for half": (lambda p: distill(p, alpha_steps=4), 2),
    "delta on longer clips and hard pixels": (lambda p: distill(p, task=HARD | WEIGHED), 3),
    "delta without labels": (lambda p: distill(p, compared="teacher"), 2),
    "delta under motion": (lambda p: distill(p, motion=drift), 3),
    "feature": (lambda p: distill(p, predicts="feature"), 2),
}

# Batch norm that learns takes its statistics pass by pass.
EXACT_IN_PASSES = tuple(kind for kind in KINDS if not kind.startswith("teacher"))


def curves(group: Group, *, frames_at_once=None, clips=CLIPS, kinds=tuple(KINDS)) -> dict:
    """By training: the curve, statistics (see below), and the candidates that the search chose."""
    passes, found = Passes(group, frames_at_once), {}
    for name in kinds:
        make, frames = KINDS[name]
        trainee = make(passes)
        batches = Streets(frames, passes.share(clips, frames))
        options = {"steps": STEPS, "evaluate_every": STEPS, "seed": 0, "log_every": 1, "group": group}
        outcome = train(trainee, batches, **options)
        found[name] = {
            "curve": outcome.curve,
            "statistics": statistics_of(trainee),
            "chosen": [block.decided for block in delta_blocks(trainee.network).values()],
        }
    return found


def statistics_of(trainee) -> list[float]:
    """Batch norm's running variance, and what a moving average has of the last layer's bias."""
    average = trainee.optimised.average
    values = average.values["6.bias"].tolist() if average else []
    return trainee.network[1].running_var.tolist() + values


def in_both_precisions(group: Group, **options) -> dict:
    """The curves in float32 and in float64."""
    found = {}
    for precision in (torch.float32, torch.float64):
        torch.set_default_dtype(precision)
        try:
            found[str(precision)] = curves(group, **options)
        finally:
            torch.set_default_dtype(torch.float32)
    return found


if __name__ == "__main__":
    with processes.joined() as group:
        found = in_both_precisions(group)
        found["passes"] = curves(group, frames_at_once=2, clips=4, kinds=EXACT_IN_PASSES)
        if group.is_first:
            Path(sys.argv[1]).write_text(json.dumps(found))
