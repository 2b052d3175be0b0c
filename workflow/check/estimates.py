"""Disk and memory that an experiment will take, from its parameters: networks on meta tensors, no weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn

from deltadistill import models
from deltadistill.blocks.designs import shape_design
from deltadistill.conversion.convert import convert
from deltadistill.conversion.registry import SELECTORS
from deltadistill.forward.outputs import frame_outputs
from deltadistill.pipeline.params import Params

_BYTES = 4  # of a weight, and of a value in float32
_MOMENTS = {"sgd": 1, "adamw": 2}  # what an optimiser keeps of every weight
_CHECKPOINTS = 3  # the last two, and the one being written
_COPIES = 4  # of a network: its stage's, the collected one, and both in DVC's cache
_PROBE = 1.6  # memory of a distillation step beside a finetuning step (docs/results.md)
_BOX_FILE_BYTES, _BOX_COPIES = 300, 3  # of a frame's boxes; as box file, COCO-style JSON and in the cache
_RESULTS = 200 * 2**20  # figures, pages, pictures and the log


@dataclass(frozen=True)
class Sizes:
    """Numbers of a network: its weights, those of the delta network made of it, and the values of all layers'
    outputs for one training frame (None where shapes alone do not tell).
    """

    weights: int
    delta_weights: int
    values: int | None


def sizes(params: Params, classes: int) -> Sizes:
    """Build the experiment's network without weights and count."""
    network = models.build_shapes(params.model.name, classes=classes, **params.model.options).eval()
    students = params.distill.students
    delta = convert(network, shape_design(students.design), SELECTORS.find(students.where))
    crop = params.pretrain_teacher.augment.crop
    return Sizes(_weights(network), _weights(delta), _values(network, (1, 3, *crop)))


def disk(params: Params, found: Sizes, frames_with_boxes: int) -> int:
    """Bytes that the project's folder will take, at most; pictures that are read in place are not in it."""
    kept = 2 + bool(params.pretrain_teacher.ema_decay or params.distill.ema_decay)  # with the best so far
    moments = max(_MOMENTS[section.optimiser.name] for section in (params.pretrain_teacher, params.distill))
    checkpoints = _CHECKPOINTS * (kept + moments) * found.delta_weights * _BYTES
    trained = found.weights + len(params.distill.trainings) * found.delta_weights
    networks = len(params.seeds) * _COPIES * trained * _BYTES
    return checkpoints + networks + frames_with_boxes * _BOX_FILE_BYTES * _BOX_COPIES + _RESULTS


def memory(params: Params, found: Sizes, processes: int) -> Mapping[str, int]:
    """Bytes per process of a step of pretrain_teacher and of distill; empty where `found` has no values."""
    if found.values is None:
        return {}
    teacher, distill, most = params.pretrain_teacher, params.distill, params.training.frames_at_once
    frames = {
        "pretrain_teacher": ceil(teacher.batch / processes),
        "distill": ceil(distill.batch / processes) * distill.clip_length,
    }
    frames = {stage: min(count, most or count) for stage, count in frames.items()}
    weights = {"pretrain_teacher": found.weights, "distill": found.delta_weights}
    factors = {"pretrain_teacher": 1.0, "distill": _PROBE}
    needed = {}
    for stage, section in (("pretrain_teacher", teacher), ("distill", distill)):
        held = 2 + _MOMENTS[section.optimiser.name] + bool(section.ema_decay)  # weights, gradient and so on
        width = _BYTES if section.precision == "float32" else _BYTES / 2
        step = factors[stage] * frames[stage] * found.values * width
        needed[stage] = int(held * weights[stage] * _BYTES + step)
    return {stage: size for stage, size in needed.items() if stage == "distill" or teacher.steps}


def _weights(network: nn.Module) -> int:
    return sum(tensor.numel() for tensor in network.state_dict().values())


@torch.no_grad()
def _values(network: nn.Module, shape: tuple[int, ...]) -> int | None:
    """Values that the layers of a network put out for frames of a shape."""
    counted = []

    def count(layer: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            counted.append(output.numel())

    hooks = [layer.register_forward_hook(count) for layer in network.modules() if not list(layer.children())]
    try:
        frame_outputs(network, torch.empty(shape, device="meta"))
    except (NotImplementedError, RuntimeError, ValueError):  # which boxes are found depends on values
        return None
    finally:
        for hook in hooks:
            hook.remove()
    return sum(counted)
