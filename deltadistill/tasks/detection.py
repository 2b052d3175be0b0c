"""Object detection: losses and boxes by the kind of detector, mean average precision by pycocotools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from deltadistill.data.boxes import Detections, Objects
from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.metrics.mean_average_precision import MeanAveragePrecision
from deltadistill.metrics.measures import MAP50, Measure
from deltadistill.metrics.motion_speed import motion_iou
from deltadistill.models.detr import Detr
from deltadistill.models.faster_rcnn import FasterRCNN
from deltadistill.processes.group import ALONE, Group
from deltadistill.tasks.anchors import AnchorMaps
from deltadistill.tasks.detection_metric import DetectionMetric, Wanted
from deltadistill.tasks.own_boxes import OwnBoxes
from deltadistill.tasks.regions import Regions
from deltadistill.tasks.set_prediction import SetPrediction
from deltadistill.tasks.suppression import Suppression
from deltadistill.tasks.task import Form, Reference, Scores

Network = TypeVar("Network", bound=nn.Module, contravariant=True)


@dataclass(frozen=True)
class Detection:
    """The task of finding objects of `classes` classes; what every method is for says tasks.task.Task.

    suppression: how boxes are chosen. shown_score: from this score on a detection stands for an object where
    one must say yes or no: in pictures, and where others are compared with it.
    References of a batch are boxes (N, M, 5), see data.box_lists.
    """

    measure: ClassVar[Measure] = MAP50
    form: ClassVar[Form] = "detections"

    classes: int
    suppression: Suppression
    shown_score: float

    @classmethod
    def of_dataset(
        cls, info: DatasetInfo, *, boxes: Mapping[str, Any], loss: Mapping[str, Any] | None
    ) -> Detection:
        """Make the task, see tasks.task.TaskEntry."""
        rest = {name: value for name, value in boxes.items() if name != "shown_score"}
        return cls(len(info.classes), Suppression(**rest), boxes["shown_score"])

    def targets(self, references: Tensor, *, network: nn.Module) -> Any:
        """What the network is to say, in the detector's own form."""
        return detector_of(network).targets(references, network)

    @property
    def extent_needs_outputs(self) -> bool:
        """What a loss is divided by follows from the boxes alone."""
        return False

    def extent(self, parts: Iterable[tuple[Any, Any]], group: Group = ALONE) -> Tensor:
        """What the detector's loss of a whole batch is divided by, float64: see its targets."""
        return group.total(torch.stack([targets.extent for _, targets in parts]).sum(0))

    def loss(
        self,
        output: Any,
        targets: Any,
        of: Tensor | None = None,
        *,
        group: Group = ALONE,
        network: nn.Module,
    ) -> Tensor:
        """The detector's own loss over classes and boxes; a scalar."""
        of = self.extent([(output, targets)], group) if of is None else of
        return detector_of(network).loss(output, targets, network, of)

    def imitation_loss(
        self, output: Any, teacher_output: Any, *, network: nn.Module, teacher: nn.Module | None = None
    ) -> Tensor:
        """How far scores and offsets are from the teacher's, mean over frames; 0 where they are the same."""
        return detector_of(network).imitation_loss(output, teacher_output, network, teacher or network)

    def anchor_grids(
        self, size: tuple[int, int], device: torch.device, *, network: nn.Module
    ) -> list[Tensor]:
        """Boxes of the network's anchors in frames of `size`, per map that its heads read: (h, w, A, 4)."""
        return detector_of(network).anchor_grids(network, size, device)

    def predict(self, output: Any, *, network: nn.Module) -> list[Detections]:
        """Boxes of each frame, in pixels of the network's input."""
        return detector_of(network).predict(output, network, self.suppression)

    def reference(self, store: FrameStore) -> Reference:
        """The data set's objects, with their motion."""
        motions: dict[tuple[str, str], Mapping[int, np.ndarray]] = {}

        def wanted(frame: Frame) -> Wanted:
            clip = (frame.split, frame.clip)
            if clip not in motions:
                motions[clip] = _motions(store, store.manifest.clips(frame.split)[frame.clip])
            return Wanted(store.boxes(frame), motions[clip][frame.index], (frame.clip, frame.index))

        return wanted

    def as_reference(self, prediction: Detections, frame: Frame) -> Wanted:
        """Detections that are sure enough, as if they were the data set's objects; of unknown motion."""
        shown = _shown(prediction, self.shown_score)
        objects = Objects(shown.boxes, shown.classes)
        return Wanted(objects, np.full(len(objects), np.nan), (frame.clip, frame.index))

    def metric(self) -> DetectionMetric:
        """Make an empty metric."""
        return DetectionMetric()

    def score(self, metric: DetectionMetric) -> float:
        """mAP at an IoU of 0.5."""
        return self._precision(metric).score().map50

    def scores(self, metric: DetectionMetric) -> Scores:
        """mAP at IoU 0.5 and over IoU 0.5 … 0.95; the former by speed of motion and by class."""
        precision = self._precision(metric)
        overall, by_speed = precision.score(), precision.score_per_speed()
        speeds = {f"{MAP50.key}_{speed}": found.map50 for speed, found in by_speed.items()}
        return Scores({"map50": overall.map50, "map": overall.map, **speeds}, overall.ap50)

    def as_array(self, predictions: Sequence[Detections]) -> np.ndarray:
        """Detections to be shown, float32 (F, max_detections, 6): x0, y0, x1, y1, score, class or −1."""
        array = np.full((len(predictions), self.suppression.max_detections, 6), -1, np.float32)
        for row, found in zip(array, predictions, strict=True):
            shown = _shown(found, self.shown_score)
            row[: len(shown)] = np.column_stack([shown.boxes, shown.scores, shown.classes])
        return array

    def _precision(self, metric: DetectionMetric) -> MeanAveragePrecision:
        return metric.precision(self.classes, self.suppression.max_detections)


class Detector(Protocol[Network]):
    """Reads the outputs of one kind of detector; `network` is the one whose output it is."""

    def image_size(self, network: Network) -> tuple[int, int] | None:
        """(height, width) of the only frames that the network takes; None: any."""

    def anchor_grids(self, network: Network, size: tuple[int, int], device: torch.device) -> list[Tensor]:
        """Boxes of the anchors in frames of `size`, per map that the heads read: (h, w, A, 4)."""

    def targets(self, references: Tensor, network: Network) -> Any:
        """What boxes (N, M, 5), see data.box_lists, ask of the network; its `extent` is a float64 scalar."""

    def loss(self, output: Any, targets: Any, network: Network, of: Tensor) -> Tensor:
        """The loss of a part of a batch whose extent is `of`; a scalar."""

    def imitation_loss(self, output: Any, teacher_output: Any, network: Network, teacher: Network) -> Tensor:
        """How far an output is from a teacher's, mean over frames; a scalar."""

    def predict(self, output: Any, network: Network, suppression: Suppression) -> list[Detections]:
        """Boxes of each frame, in pixels of the network's input."""


def detector_of(network: nn.Module) -> Detector[nn.Module]:
    """How the network's outputs are read. ValueError for a network that is no detector."""
    if hasattr(network, "anchors"):
        return AnchorMaps()
    if getattr(network, "decode", None) is not None:
        return OwnBoxes()
    if hasattr(network, "boxes_asked"):
        sets: Detector[Detr] = SetPrediction()
        return cast(Detector[nn.Module], sets)
    if hasattr(network, "propose"):
        regions: Detector[FasterRCNN] = Regions()
        return cast(Detector[nn.Module], regions)  # whatever proposes is taken for a FasterRCNN
    raise ValueError(
        f"{type(network).__name__} is no detector that can be read: the data set has boxes, and the network "
        "neither carries `anchors` (models.anchor_layout), proposes regions (models.faster_rcnn), asks with "
        "boxes (models.detr) nor brings `decode` of its own (tasks.adapted); choose one of the models for "
        "detection"
    )


def _shown(found: Detections, min_score: float) -> Detections:
    sure = found.scores >= min_score
    return Detections(found.boxes[sure], found.scores[sure], found.classes[sure])


def _motions(store: FrameStore, frames: Sequence[Frame]) -> dict[int, np.ndarray]:
    """Motion IoU of the objects of every annotated frame of a clip, by its index."""
    nothing = Objects(np.zeros((0, 4)), np.zeros(0))
    clip = [store.boxes(frame) if store.is_annotated(frame) else nothing for frame in frames]
    return {frame.index: motion for frame, motion in zip(frames, motion_iou(clip), strict=True)}
