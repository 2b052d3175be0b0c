"""Multi-granularity distillation: a loss of whole frames, one of regions and one of pixels.

"Multi-Granularity Distillation Scheme Towards Lightweight Semi-Supervised Semantic Segmentation" (Qin et
al., 2022). Its claim: losses of three levels, from two teachers and on labelled and unlabelled pictures
alike, lift small networks by up to 11.5 points on Cityscapes with a sixteenth of the labels.

    image   Σ over classes of |mean over pixels of (z − z′)|
    region  mean (S − S′)²,  S_ij = cos(f_i, f_j) of features averaged to a grid of regions
    pixel   −log q_y,  y the class that the teacher's output is surest of

z are logits, f features, q the student's probabilities, and a prime is the teacher's. L = pixel + λ₁ image
+ λ₂ region.

Departures: one teacher, where the authors have a second of other depth for the image level; no mixing of
pictures. All frames count, labelled or not, since labels have no part in it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.objectives.exits import logits_of_size
from deltadistill.objectives.matched_maps import MatchedMaps
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.query_retrieval import on_grid
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class MultiGranularity(Objective):
    """The three losses of logits and of maps of named modules, see MatchedMaps; a mean over frames.

    image, region: λ₁ and λ₂. grid: rows and columns of regions.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        modules: Modules = None,
        image: float = 1.0,
        region: float = 1.0,
        grid: int = 7,
    ):
        super().__init__()
        if image < 0 or region < 0 or grid < 1:
            raise ValueError(
                f"objective multi_granularity: image {image} and region {region} must be at least 0, grid "
                f"{grid} at least 1"
            )
        setting.classes("multi_granularity")  # raises for an output that is no logits
        self.image, self.region, self.grid = image, region, grid
        self.maps = MatchedMaps(setting, modules, objective="multi_granularity")

    @property
    def taps(self) -> Taps:
        """The maps and both outputs."""
        return Taps.of_all([self.maps.taps, Taps(output=True, teacher_output=True)])

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over frames, by the part's share of the clips."""
        logits, taught = seen.taught_frames(seen.output), seen.teacher_output
        taught = logits_of_size(taught, logits.shape[-2:]) if logits.dim() == 4 else taught
        regions = [region_loss(on_grid(f, self.grid), on_grid(t, self.grid)) for f, t in self.maps(seen)]
        loss = F.cross_entropy(logits, taught.argmax(1))
        loss = loss + self.image * image_loss(logits, taught) + self.region * torch.stack(regions).mean()
        return loss * (seen.clips / float(of))


def image_loss(logits: Tensor, taught: Tensor) -> Tensor:
    """Σ over classes of the distance of mean logits (N, K, …), a mean over frames; a scalar."""
    difference = (logits - taught).flatten(2).mean(2) if logits.dim() > 2 else logits - taught
    return difference.abs().sum(1).mean()


def region_loss(maps: Tensor, taught: Tensor) -> Tensor:
    """Mean squared difference of how alike regions of maps (N, C, h, w) are, and the teacher's."""
    return (self_likeness(maps) - self_likeness(taught)).square().mean()


def self_likeness(maps: Tensor) -> Tensor:
    """Cosine of every pair of places; (N, places, places)."""
    unit = F.normalize(maps.flatten(2), dim=1)
    return unit.mT @ unit
