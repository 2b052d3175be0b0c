"""The recipe of Deep Feature Flow's scale map: trained on pairs, judged as it will run."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill import models
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.distillation.flow_scale import FlowScaleTraining
from deltadistill.evaluation.clips import tune_windows
from deltadistill.evaluation.frames import frame_batch, stream_of, teacher_reference
from deltadistill.metrics.counters import add_up
from deltadistill.pipeline.params import Distill
from deltadistill.pipeline.training_run import Trained, TrainingRun, optimise, run_training
from deltadistill.predictors.deep_feature_flow import DeepFeatureFlow
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.network_split import NetworkSplit
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Reference, Task

_OWN = "hidden"  # an option of the scale; the others are the predictor's


def train_flow_scale(
    teacher: nn.Module,
    task: Task,
    store: FrameStore,
    settings: Distill,
    options: Mapping[str, Any],
    *,
    seed: int,
    run: TrainingRun,
) -> tuple[Trained, Mapping[str, Any]]:
    """Train a scale map for the maps that the last modules of a copy of the teacher read; the copy stays.

    options: split, motion, preset and longest as of the predictor, hidden of models/flow_scale.py. The second
    result describes the network. Raises ValueError for last modules that read something other than one map.
    """
    network = deepcopy(teacher).eval().requires_grad_(False)
    described = _described(network, store.size, options)
    scale = models.build("flow_scale", classes=described["classes"], **described["options"])
    scale = scale.to(device_of(teacher))
    given = {name: value for name, value in options.items() if name != _OWN}
    labels = settings.loss.task == "labels"
    reference = task.reference(store) if labels else teacher_reference(network, task, store)
    windows = tune_windows(store, settings.max_distance + 1)
    predictor = DeepFeatureFlow(network, task, scale=scale, **given)
    motion, preset, longest = (given.get(n, d) for n, d in _MOTION.items())
    trainee = FlowScaleTraining(
        optimise(scale, [(scale.parameters(), settings.optimiser.learning_rate_student)], settings, run=run),
        network,
        NetworkSplit(network, given["split"]),
        Motions(motion, preset=preset, longest=longest),
        task,
        tune_score=lambda between: 100 * _score(predictor, task, store, windows, reference, run, between),
        labels=labels,
    )
    pairs = {"clip_length": 2, "max_distance": settings.max_distance, "directions": settings.directions}
    return Trained(scale, run_training(trainee, store, settings, run, seed=seed, **pairs)), described


_MOTION = {"motion": "flow", "preset": "fast", "longest": 320}  # by default, as of the predictor


def _described(network: nn.Module, size: tuple[int, int], options: Mapping[str, Any]) -> dict[str, Any]:
    """Name, channels and options of the scale for a network's maps."""
    with torch.no_grad():
        frame = torch.zeros(1, 3, *size, device=device_of(network))
        _, maps = NetworkSplit(network, options["split"]).full(frame)
    if not isinstance(maps, Tensor) or maps.dim() != 4:
        raise ValueError(
            f"method flow_scale scales one map (N, C, h, w); {options['split']!r} reads "
            f"a {type(maps).__name__}"
        )
    own = {"reduction": max(1, round(size[0] / maps.shape[-2]))} | {
        name: value for name, value in options.items() if name == _OWN
    }
    return {"name": "flow_scale", "classes": maps.shape[1], "options": own}


@torch.no_grad()
def _score(
    predictor: DeepFeatureFlow,
    task: Task,
    store: FrameStore,
    windows: Sequence[Sequence[Frame]],
    reference: Reference,
    run: TrainingRun,
    between: Callable[[], None],
) -> float:
    """The task's score over windows whose first frame is the key frame."""
    metric = task.metric()
    for turn in run.group.turns(windows):
        for window in turn:
            first = frame_batch(store, window[:1])
            predictor.begin(stream_of(first))
            for frame in window:
                (prediction,) = predictor.answer(frame_batch(store, [frame]))
                metric.update(prediction, reference(frame))
        between()
    add_up([metric], run.group)
    return task.score(metric)
