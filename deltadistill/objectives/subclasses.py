"""LELP: classes are split along the directions in which the teacher's features of a class vary.

"Linear Projections of Teacher Embeddings for Few-Class Distillation" (Loo et al., 2024). Its claim: where
classes are few the teacher's probabilities tell little; pseudo-subclasses from linear subspaces of its last
features tell more, without training, and students that learn them are as good as or better than by other
distillation.

    P(c, s | x) = p_c · softmax_s(a_cs / τ),   a_cs = ± v_cd · (t − m_c) / σ_cd,   s = (d, sign)
    L = −mean over places of  Σ P(c, s) log Q(c, s)

p are the teacher's probabilities, t its feature, m_c the mean of class c, v_cd its d-th principal direction
and σ_cd the spread along it; Q is a softmax over all subclasses by a 1×1 convolution on the student's
feature.

Departures: a feature is that of a place; directions are those of the frames that the training begins with,
by the class that the teacher's output is surest of, so that parts of a batch add up; the authors take off
what the last layer sees before, which needs that layer's weights and is left out here. Classes that these
frames do not show are not split.
"""

from typing import cast

import torch
from torch import Tensor, nn

from deltadistill.objectives.exits import logits_of_size
from deltadistill.objectives.frame_classes import classes_of_size
from deltadistill.objectives.matched_maps import MatchedMaps, as_maps
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class Subclasses(Objective):
    """The loss of subclasses at every place of one named module's map, see MatchedMaps.

    modules: usually the module before the last layer. directions: for each class; each gives two subclasses.
    temperature: τ, above 0.
    """

    directions: Tensor
    means: Tensor

    def __init__(self, setting: Setting, *, modules: Modules, directions: int = 2, temperature: float = 1.0):
        super().__init__()
        if directions < 1 or temperature <= 0:
            raise ValueError(
                f"objective subclasses: directions {directions} must be at least 1 and temperature "
                f"{temperature} above 0"
            )
        self.temperature = temperature
        self.maps = MatchedMaps(setting, modules, objective="subclasses")
        if len(self.maps.channels) != 1:
            raise ValueError(
                f"objective subclasses is for one map, and its modules make "
                f"{len(self.maps.channels)}; name one"
            )
        classes = setting.classes("subclasses")
        features, told = _features(setting, self.maps.pairs[0][1])
        means, found = class_directions(features, told, classes, directions)
        self.register_buffer("means", means)
        self.register_buffer("directions", found)
        self.head = nn.Conv2d(self.maps.channels[0], classes * 2 * found.shape[1], 1)

    @property
    def taps(self) -> Taps:
        """The map and the teacher's output."""
        return Taps.of_all([self.maps.taps, Taps(teacher_output=True)])

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over places and frames, by the part's share of the clips."""
        ((own, taught),) = self.maps(seen)
        with torch.no_grad():
            classes = logits_of_size(seen.teacher_output, taught.shape[-2:]).softmax(1)
            split = subclass_shares(taught, self.means, self.directions, temperature=self.temperature)
            wanted = (classes[:, :, None] * split).flatten(1, 2)
        losses = -(wanted * self.head(own).log_softmax(1)).sum(1)
        return losses.mean() * (seen.clips / float(of))


def subclass_shares(taught: Tensor, means: Tensor, directions: Tensor, *, temperature: float) -> Tensor:
    """softmax over the subclasses of each class, (N, K, 2·D, H, W), of the teacher's map (N, C, H, W).

    means: (K, C). directions: (K, D, C), each a direction over the spread along it; of zeros for a class that
    is not split. Subclasses are the directions' positive sides and then their negative ones.
    """
    along = torch.einsum("nchw,kdc->nkdhw", taught, directions.to(taught))
    offset = torch.einsum("kc,kdc->kd", means, directions).to(taught)
    projected = along - offset[None, :, :, None, None]
    return (torch.cat([projected, -projected], 2) / temperature).softmax(2)


def class_directions(features: Tensor, classes: Tensor, count: int, directions: int) -> tuple[Tensor, Tensor]:
    """Means (count, C) of features (places, C) by class, and principal directions (count, D, C) over spreads.

    D is `directions`, or C where that is less. Zeros where a class has fewer than two places, and for
    directions in which it does not vary.
    """
    width = features.shape[1]
    depth = min(directions, width)
    means, found = features.new_zeros(count, width), features.new_zeros(count, depth, width)
    for index in range(count):
        mine = features[classes == index]
        if len(mine) < 2:
            continue
        means[index] = mine.mean(0)
        centred = (mine - means[index]).double()
        variances, vectors = torch.linalg.eigh(centred.T @ centred / len(mine))
        spread, leading = variances.flip(0)[:depth].clamp(min=0).sqrt(), vectors.flip(1).T[:depth]
        varies = spread > 1e-6 * max(float(spread[0]), 1e-6)
        leading = leading * _signs(leading)
        found[index] = torch.where(varies[:, None], leading / spread.clamp(min=1e-12)[:, None], 0).to(found)
    return means, found


def _signs(vectors: Tensor) -> Tensor:
    """What makes the largest entry of each row positive: eigenvectors come with either sign."""
    largest = vectors.abs().argmax(1, keepdim=True)
    return vectors.gather(1, largest).sign()


@torch.no_grad()
def _features(setting: Setting, module: str) -> tuple[Tensor, Tensor]:
    """The teacher's features of the setting's frames, (places, C), and the class that it is surest of."""
    (made,) = as_maps(setting.teacher_maps(module), module)
    told = cast(Tensor, setting.teacher_answer()).argmax(1)
    classes = classes_of_size(told, made.shape[-2:])
    return made.movedim(1, -1).flatten(0, -2), classes.flatten()
