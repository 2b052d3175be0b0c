"""The recipes of small networks beside the teacher, a scale map or gates: judged as they will run."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill import models
from deltadistill.blocks.skip_gates import described as gates_of
from deltadistill.blocks.skip_gates import learned_skips
from deltadistill.blocks.skip_rule import SkipConvolution
from deltadistill.conversion.convert import convert
from deltadistill.conversion.registry import SELECTORS
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.distillation.flow_scale import FlowScaleTraining
from deltadistill.distillation.skip_gates import SkipGateTraining
from deltadistill.evaluation.clips import tune_windows
from deltadistill.evaluation.frames import frame_batch, stream_of, teacher_reference
from deltadistill.metrics.counters import add_up
from deltadistill.pipeline.params import Distill
from deltadistill.pipeline.training_run import Trained, TrainingRun, optimise, run_training, train_on_clips
from deltadistill.predictors.deep_feature_flow import DeepFeatureFlow
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.network_split import NetworkSplit
from deltadistill.predictors.predictor import Predictor
from deltadistill.predictors.skip_convolutions import SkipConvolutions
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Task
from deltadistill.training.optimised_network import OptimisedNetwork


@dataclass(frozen=True)
class Companion:
    """What both recipes are given: the network beside, which stays, and how what learns is judged."""

    network: nn.Module
    task: Task
    store: FrameStore
    settings: Distill
    run: TrainingRun

    @classmethod
    def of(
        cls, teacher: nn.Module, task: Task, store: FrameStore, settings: Distill, run: TrainingRun
    ) -> "Companion":
        """Beside a copy of the teacher."""
        return cls(deepcopy(teacher).eval().requires_grad_(False), task, store, settings, run)

    @property
    def labels(self) -> bool:
        """Whether it learns from labels too."""
        return self.settings.loss.task == "labels"

    def built(self, described: Mapping[str, Any]) -> nn.Module:
        """What learns, on the network's device."""
        made = models.build(described["name"], classes=described["classes"], **described["options"])
        return made.to(device_of(self.network))

    def optimised(self, companion: nn.Module) -> OptimisedNetwork:
        """What learns, and its optimiser."""
        rate = self.settings.optimiser.learning_rate_student
        return optimise(companion, [(companion.parameters(), rate)], self.settings, run=self.run)

    def judged_by(self, predictor: Predictor) -> Callable[[Callable[[], None]], float]:
        """The score, from 0 to 100, over windows of the tune split whose first frame is the key frame."""
        task, store = self.task, self.store
        reference = task.reference(store) if self.labels else teacher_reference(self.network, task, store)
        windows = tune_windows(store, self.settings.max_distance + 1)

        @torch.no_grad()
        def score(between: Callable[[], None]) -> float:
            metric = task.metric()
            for turn in self.run.group.turns(windows):
                for window in turn:
                    _update(metric, predictor, store, window, reference)
                between()
            add_up([metric], self.run.group)
            return 100 * task.score(metric)

        return score


def _update(
    metric: Any, predictor: Predictor, store: FrameStore, window: Sequence[Frame], reference: Any
) -> None:
    predictor.begin(stream_of(frame_batch(store, window[:1])))
    for frame in window:
        (prediction,) = predictor.answer(frame_batch(store, [frame]))
        metric.update(prediction, reference(frame))


def train_flow_scale(
    companion: Companion, options: Mapping[str, Any], *, seed: int
) -> tuple[Trained, Mapping[str, Any]]:
    """Train Deep Feature Flow's scale map for the maps that the last modules of the network read.

    options: split, motion, preset and longest as of the predictor, hidden of models/flow_scale.py. The second
    result describes the scale. Raises ValueError for last modules that read something other than one map.
    """
    network, task, settings = companion.network, companion.task, companion.settings
    described = _scale_of(network, companion.store.size, options)
    scale = companion.built(described)
    given = {name: value for name, value in options.items() if name != _OWN}
    predictor = DeepFeatureFlow(network, task, scale=scale, **given)
    motion, preset, longest = (given.get(n, d) for n, d in _MOTION.items())
    trainee = FlowScaleTraining(
        companion.optimised(scale),
        network,
        task,
        tune_score=companion.judged_by(predictor),
        labels=companion.labels,
        split=NetworkSplit(network, given["split"]),
        motions=Motions(motion, preset=preset, longest=longest),
    )
    pairs = {"clip_length": 2, "max_distance": settings.max_distance, "directions": settings.directions}
    outcome = run_training(trainee, companion.store, settings, companion.run, seed=seed, **pairs)
    return Trained(scale, outcome), described


_OWN = "hidden"  # an option of the scale; the others are the predictor's
_MOTION = {"motion": "flow", "preset": "fast", "longest": 320}  # by default, as of the predictor


def _scale_of(network: nn.Module, size: tuple[int, int], options: Mapping[str, Any]) -> dict[str, Any]:
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


def train_skip_gates(
    companion: Companion, options: Mapping[str, Any], *, seed: int
) -> tuple[Trained, Mapping[str, Any]]:
    """Train the gates of a network's Skip-Convolutions, on clips as distillation sees them.

    options: beta, what their MACs weigh in the loss; where, as of the predictor; threshold, of the norm gate
    that they begin as. The second result describes the gates.
    """
    network, settings = companion.network, companion.settings
    where, threshold = options.get("where", "inner_convolutions"), options.get("threshold", 0.3)
    plain = convert(network, SkipConvolution(threshold), SELECTORS.find(where))
    described = gates_of(plain, threshold=threshold)
    gates = companion.built(described)
    skipping = convert(network, learned_skips(gates), SELECTORS.find(where))
    predictor = SkipConvolutions(network, companion.task, gates=gates, where=where)
    trainee = SkipGateTraining(
        companion.optimised(gates),
        network,
        companion.task,
        tune_score=companion.judged_by(predictor),
        labels=companion.labels,
        skipping=skipping.eval(),
        beta=options["beta"],
        steps=settings.steps,
    )
    outcome = train_on_clips(trainee, companion.store, settings, companion.run, seed=seed)
    return Trained(gates, outcome), described
