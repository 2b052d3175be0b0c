"""Denoising: the loss of DDPM (Ho et al., NeurIPS 2020, Eq. 14), and how much of the noise is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.metrics.map_error import MapError
from deltadistill.metrics.measures import NOISE_TOLD, Measure
from deltadistill.tasks.denoiser import ESTIMATE, NOISE
from deltadistill.tasks.maps import MapsInTurn
from deltadistill.tasks.task import Predictions, Reference, Scores, Task


@dataclass(frozen=True)
class Denoising(Task):
    """The task of telling the noise in pictures, from which a network learns to make pictures.

    The network draws the noise itself and returns it beside its estimate (tasks.denoiser); labels have no
    meaning.
    classes: of the data set, which all get the one score.
    """

    classes: int
    measure: Measure = NOISE_TOLD

    @classmethod
    def of_dataset(
        cls, info: DatasetInfo, *, boxes: Mapping[str, Any], loss: Mapping[str, Any] | None
    ) -> Denoising:
        """Make the task, see tasks.task.TaskEntry; ValueError for settings that are of other tasks."""
        if (loss or {}).get("class_weights") is not None:
            raise ValueError("class_weights are for classes, and noise has none; set class_weights: null")
        return cls(len(info.classes))

    def loss(self, output: Any, targets: Any, of: Any = None, **who: Any) -> Tensor:
        """Mean squared error of the estimated noise; arguments as in tasks.task.Task.

        of: the number of pictures of the whole batch; then what these add to its mean.
        """
        estimate, noise = _both(output)
        if of is None:
            of = self.extent([(output, estimate)], **{k: v for k, v in who.items() if k == "group"})
        errors = (estimate - noise).square().flatten(1).mean(1)
        return errors.sum() / torch.as_tensor(of).to(errors)

    def imitation_loss(
        self, output: Any, teacher_output: Any, *, network: nn.Module, teacher: nn.Module | None = None
    ) -> Tensor:
        """Mean squared distance of two estimates of the same noise."""
        return (_both(output)[0] - _both(teacher_output)[0]).square().mean()

    def predict(self, output: Any, *, network: nn.Module) -> Predictions:
        """Of each picture the estimate and the noise, float32 (2, 3, H, W)."""
        return list(torch.stack(_both(output), 1).detach().float())

    def reference(self, store: FrameStore) -> Reference:
        """The noise comes with the prediction."""
        return _nothing

    def as_reference(self, prediction: Tensor, frame: Frame) -> Tensor:
        """The teacher's estimate, in the place of the noise."""
        return prediction[0]

    def metric(self) -> NoiseError:
        """Make an empty count."""
        return NoiseError()

    def scores(self, metric: Any) -> Scores:
        """1 − the squared error over the squared noise, over all pictures together."""
        told = metric.agreement()
        return Scores({NOISE_TOLD.key: told}, [told] * self.classes)

    def agreement(self, store: FrameStore) -> MapsInTurn:
        """Estimates and noise of successive frames, of which data sets of pictures have none."""
        return MapsInTurn()

    def as_array(self, predictions: Sequence[Tensor]) -> np.ndarray:
        """Estimates averaged over colours, float32 (F, H, W)."""
        return torch.stack([each[0].mean(0) for each in predictions]).numpy()


class NoiseError(MapError):
    """Adds up squared errors and squared noise; each prediction is an estimate and the noise itself."""

    def update(self, prediction: Tensor, reference: Tensor | None) -> None:
        """Count a picture's prediction (2, 3, H, W); reference: what to compare with, None: the noise."""
        super().update(prediction[0], prediction[1] if reference is None else reference)


def _nothing(frame: Frame) -> None:
    return None


def _both(output: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(output, Mapping) or set(output) != {ESTIMATE, NOISE}:
        raise ValueError(
            f"the network returns {type(output).__name__}; denoising needs an estimate and the noise: choose "
            "model.name: ddpm, or a network with such a method frame_outputs (tasks/denoiser.py)"
        )
    return output[ESTIMATE], output[NOISE]
