"""FEDS: channels weigh by how much information the teacher's have.

"FEDS: Feature and Entropy-Based Distillation Strategy for Efficient Learned Image Compression" (Fu et al.,
2025). Its claim: a small picture codec nearly reaches a large one where the most informative channels are
emphasised, in three phases: alignment of features, channels, and tuning without either.

    L = mean over maps of  Σ_c w_c · mean (f_c − t_c)² / mean t²,   w_c = H_c / Σ H

H_c is the entropy in bits of the teacher's channel c, its values rounded to steps of `step` standard
deviations of the whole map.

Departures: a codec has an entropy model that tells a channel's bits; here they are counted, of rounded
values, over the batch. Phases are schedules of weights: `normalised_features` with until: 0.33, this with
starts: 0.33 and until: 0.67 (docs/objectives.md). The division by the map's energy is not the abstract's:
without it maps would not compare.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from deltadistill.objectives.matched_maps import MatchedMaps
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps
from deltadistill.processes.group import ALONE, Group

_REACH = 32  # steps to either side of 0; what lies beyond counts as the last


class ChannelEntropy(Objective):
    """Errors of maps of named modules, see MatchedMaps, by the entropy of the teacher's channels.

    step: in standard deviations of the teacher's map on the setting's frames, above 0.
    """

    def __init__(self, setting: Setting, *, modules: Modules = None, step: float = 0.25):
        super().__init__()
        if step <= 0:
            raise ValueError(f"objective channel_entropy: step {step} must be above 0")
        self.maps = MatchedMaps(setting, modules, objective="channel_entropy")
        self.steps = [
            step * _spread(made) for _, name in self.maps.pairs for made in setting.teacher_maps(name)
        ]

    @property
    def taps(self) -> Taps:
        """The maps."""
        return self.maps.taps

    def batch_extent(self, parts: Iterable[Observation], group: Group = ALONE) -> Any:
        """Per map the weights of its channels (C,), its energy and its number of entries."""
        per_part = [list(map(_counted, self.maps.taught(seen), self.steps)) for seen in parts]
        totals = [[group.total(torch.stack(same).sum(0)) for same in zip(*one, strict=True)]
                  for one in zip(*per_part, strict=True)]  # fmt: skip
        return [(shares(entropies(counts)), energy, size) for counts, energy, size in totals]

    def loss(self, seen: Observation, of: Any) -> Tensor:
        """The mean over maps."""
        pairs = zip(self.maps(seen), of, strict=True)
        losses = [weighted_error(own, taught, *whole) for (own, taught), whole in pairs]
        return torch.stack(losses).mean()


def rounded_counts(maps: Tensor, step: float) -> Tensor:
    """How often each channel of maps (N, C, H, W) takes each value, rounded to steps; (C, 65), float64."""
    levels = (maps / step).round().clamp(-_REACH, _REACH).long() + _REACH
    per_channel = levels.movedim(1, 0).flatten(1)
    counts = per_channel.new_zeros(len(per_channel), 2 * _REACH + 1, dtype=torch.float64)
    return counts.scatter_add_(1, per_channel, torch.ones_like(per_channel, dtype=torch.float64))


def entropies(counts: Tensor) -> Tensor:
    """Entropy in bits of each row of counts (C, values); (C,)."""
    shares_of_values = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return -torch.special.xlogy(shares_of_values, shares_of_values).sum(1) / torch.log(counts.new_tensor(2.0))


def shares(entropy: Tensor) -> Tensor:
    """Each entropy's share of their sum; equal ones where all are 0."""
    total = entropy.sum()
    return entropy / total if total > 0 else torch.full_like(entropy, 1 / len(entropy))


def weighted_error(maps: Tensor, taught: Tensor, weights: Tensor, energy: Tensor, size: Tensor) -> Tensor:
    """Σ_c w_c · mean (f_c − t_c)² over the mean square of the teacher's map.

    weights: (C,), of sum 1. energy, size: sum of squares and number of entries of the whole batch's map.
    """
    squares = (maps - taught).square().sum((0, 2, 3))
    per_channel = float(size) / len(weights)
    return (weights.to(squares) * squares).sum() / per_channel / max(float(energy / size), 1e-12)


def _spread(made: Tensor) -> float:
    return max(float(made.std()), 1e-6)


def _counted(taught: Tensor, step: float) -> tuple[Tensor, Tensor, Tensor]:
    size = torch.tensor(taught.numel(), dtype=torch.float64, device=taught.device)
    return rounded_counts(taught, step), taught.double().square().sum(), size
