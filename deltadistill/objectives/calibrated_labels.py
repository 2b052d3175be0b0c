"""FerKD: the teacher where it is sure, softened labels where it is not, nothing where it is lost.

"FerKD: Surgical Label Adaptation for Efficient Distillation" (Shen, 2023). Its claim: a teacher's soft
labels are not equally reliable for all crops; taking softened ground truth for those of medium certainty
and leaving out the hardest makes training faster and better, 81.2 % for a ResNet-50 on ImageNet.

    L = mean over kept places of −Σ_c g_c log q_c
    g = the teacher's probabilities   where its largest, averaged over the region, is at least `sure`
        (1 − s) at the label, s / (K − 1) elsewhere   where it is at least `lost`; below, nothing counts

Departures: regions are squares of pixels, where a classifier's are crops of a picture; places without a
label keep the teacher where it is sure and count nothing else. SelfMix, their augmentation, is not here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.objectives.frame_classes import FrameClasses
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps
from deltadistill.tasks.segmentation import IGNORED


class CalibratedLabels(Objective):
    """The loss of logits (N, classes) or (N, classes, H, W) at all kept places.

    sure, lost: bounds of the teacher's certainty, 0 ≤ lost ≤ sure ≤ 1. softening: s. region: side of a
    region in pixels. Raises ValueError where there are no labels, see FrameClasses.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        sure: float = 0.8,
        lost: float = 0.3,
        softening: float = 0.1,
        region: int = 8,
    ):
        super().__init__()
        if not (0 <= lost <= sure <= 1 and 0 <= softening < 1 and region >= 1):
            raise ValueError(
                f"objective calibrated_labels: expected 0 ≤ lost {lost} ≤ sure {sure} ≤ 1, softening "
                f"{softening} in [0, 1) and region {region} at least 1"
            )
        self.sure, self.lost, self.softening, self.region = sure, lost, softening, region
        self.classes = FrameClasses(setting, "labels", objective="calibrated_labels")

    @property
    def taps(self) -> Taps:
        """Both outputs."""
        return Taps(output=True, teacher_output=True)

    def extent(self, seen: Observation) -> Tensor:
        """The number of kept places."""
        return self._targets(seen)[1].sum().double()

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The cross-entropy with the targets, over the kept places of the whole batch."""
        logits = _maps(seen.taught_frames(seen.output))
        targets, kept = self._targets(seen)
        losses = -(targets * logits.log_softmax(1)).sum(1)
        return (losses * kept).sum() / of.clamp(min=1).to(losses)

    @torch.no_grad()
    def _targets(self, seen: Observation) -> tuple[Tensor, Tensor]:
        taught = _maps(seen.teacher_output).softmax(1)
        labels = self.classes.at(seen, taught.shape[-2:])
        bounds = {"sure": self.sure, "lost": self.lost}
        return calibrated(taught, labels, softening=self.softening, region=self.region, **bounds)


def calibrated(
    taught: Tensor, labels: Tensor, *, sure: float, lost: float, softening: float, region: int
) -> tuple[Tensor, Tensor]:
    """Targets (N, K, H, W) and which places are kept, bool (N, H, W).

    taught: the teacher's probabilities (N, K, H, W). labels: (N, H, W), IGNORED where there is none.
    """
    certainty = region_means(taught.max(1).values, region)
    labelled = labels != IGNORED
    hard = softened(labels.where(labelled, 0), taught.shape[1], softening).to(taught)
    from_teacher = certainty >= sure
    targets = torch.where(from_teacher[:, None], taught, hard)
    return targets, from_teacher | (labelled & (certainty >= lost))


def softened(labels: Tensor, classes: int, softening: float) -> Tensor:
    """1 − s at the label and s / (K − 1) elsewhere; (N, K, H, W) of labels (N, H, W)."""
    true = F.one_hot(labels, classes).movedim(-1, 1).float()
    return true * (1 - softening) + (1 - true) * (softening / max(classes - 1, 1))


def region_means(values: Tensor, side: int) -> Tensor:
    """Every place of values (N, H, W) with the mean of its square of `side` places, cut off at the end."""
    height, width = values.shape[-2:]
    means = F.avg_pool2d(values[:, None], side, ceil_mode=True, count_include_pad=False)
    spread = means.repeat_interleave(side, 2).repeat_interleave(side, 3)
    return spread[:, 0, :height, :width]


def _maps(logits: Tensor) -> Tensor:
    return logits[..., None, None] if logits.dim() == 2 else logits
