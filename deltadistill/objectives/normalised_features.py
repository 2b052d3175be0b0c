"""Normalised feature distillation: every map's error divided by how large the teacher's map is.

"LAPTOP-Diff: Layer Pruning and Normalized Distillation for Compressing Diffusion Models" (Zhang et al.,
2024). Its claim: without the division a few maps with large numbers dominate the others in retraining; with
it, and with layers dropped by its criterion, half of a diffusion U-Net can go at a fraction of the loss of
earlier ways.

    L = mean over maps of  mean (f − t)² / (mean t²)^(power / 2)

Departures: means in place of sums over a map's numbers, so that a map's size does not weigh; the norm is
that of the whole batch, so that parts of it add up. power 1 divides by the teacher's norm; power 2 by its
energy, as `block_errors` does with the targets of blocks, and makes the loss one of no unit.
"""

import torch
from torch import Tensor

from deltadistill.objectives.matched_maps import MatchedMaps
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class NormalisedFeatures(Objective):
    """The normalised errors of maps of named modules, see MatchedMaps; power: 1 or 2."""

    def __init__(self, setting: Setting, *, modules: Modules = None, power: int = 1):
        super().__init__()
        if power not in (1, 2):
            raise ValueError(f"objective normalised_features: power {power} is unknown; allowed: 1, 2")
        self.power, self.maps = power, MatchedMaps(setting, modules, objective="normalised_features")

    @property
    def taps(self) -> Taps:
        """The maps."""
        return self.maps.taps

    def extent(self, seen: Observation) -> Tensor:
        """Per map the teacher's energy, and how many numbers it has; (maps, 2)."""
        return torch.stack([energy_and_size(taught) for taught in self.maps.taught(seen)])

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over maps."""
        pairs = zip(self.maps(seen), of, strict=True)
        losses = [normalised(own, taught, whole, power=self.power) for (own, taught), whole in pairs]
        return torch.stack(losses).mean()


def normalised(maps: Tensor, taught: Tensor, of: Tensor, *, power: int) -> Tensor:
    """What maps add to the mean squared error over (mean square of the teacher's) to the power / 2.

    of: the whole batch's sum of squares of the teacher's map, and its number of entries.
    """
    energy, size = of.to(maps)
    mean_square = (energy / size).clamp(min=1e-12)
    return (maps - taught).square().sum() / size / mean_square ** (power / 2)


def energy_and_size(taught: Tensor) -> Tensor:
    """Sum of squares and number of entries; (2,), float64."""
    return torch.stack([taught.double().square().sum(), taught.new_tensor(taught.numel()).double()])
