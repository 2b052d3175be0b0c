"""GKD's soft distillation: each of the student's features asks the teacher's map for what is like it.

"Generalizable Knowledge Distillation from Vision Foundation Models for Semantic Segmentation" (Lv et al.,
2026). Its claim: students that learn features first and their task after, features frozen, and whose
features retrieve what they imitate from all places of the teacher's map, stay right on pictures of another
look, 1.9 to 10.6 points above other distillation.

    L = mean over maps of  mean (f_i − r_i)² / mean t²,   r_i = Σ_j softmax_j(cos(f_i, t_j) / τ) · t_j

f_i is the student's feature at place i, t_j the teacher's at place j of the same frame.

Its two stages are settings of a training (docs/objectives.md, In stages): this objective until `task_from`,
then labels, while optimiser.only_learn leaves all but the head as it is.

Departures: no projections of queries and keys, which compare by their cosine; maps are
averaged to a grid, since attention takes its square; classes of a foundation model's tokens and masked
inputs are not here.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.objectives.matched_maps import MatchedMaps
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.normalised_features import energy_and_size
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class QueryRetrieval(Objective):
    """The loss over maps of named modules, see MatchedMaps.

    temperature: τ, above 0: how sharply a feature chooses. grid: largest rows and columns of the maps.
    """

    def __init__(
        self, setting: Setting, *, modules: Modules = None, temperature: float = 0.1, grid: int = 16
    ):
        super().__init__()
        if temperature <= 0 or grid < 1:
            raise ValueError(
                f"objective query_retrieval: temperature {temperature} must be above 0 and grid "
                f"{grid} at least 1"
            )
        self.temperature, self.grid = temperature, grid
        self.maps = MatchedMaps(setting, modules, objective="query_retrieval")

    @property
    def taps(self) -> Taps:
        """The maps."""
        return self.maps.taps

    def extent(self, seen: Observation) -> Tensor:
        """Per map the energy of the teacher's averaged map, and how many numbers it has; (maps, 2)."""
        return torch.stack([energy_and_size(on_grid(made, self.grid)) for made in self.maps.taught(seen)])

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over maps."""
        losses = []
        for (own, taught), (energy, _) in zip(self.maps(seen), of.to(torch.float64), strict=True):
            asked, told = on_grid(own, self.grid), on_grid(taught, self.grid)
            wanted = retrieved(asked, told, temperature=self.temperature)
            losses.append((asked - wanted).square().sum() / energy.clamp(min=1e-12).to(asked))
        return torch.stack(losses).mean()


def on_grid(maps: Tensor, grid: int) -> Tensor:
    """Maps (N, C, H, W) averaged to at most `grid` rows and columns."""
    height, width = maps.shape[-2:]
    size = min(grid, height), min(grid, width)
    return maps if size == (height, width) else F.adaptive_avg_pool2d(maps, size)


def retrieved(queries: Tensor, taught: Tensor, *, temperature: float) -> Tensor:
    """What each place of queries (N, C, h, w) retrieves from the teacher's map; of the same shape."""
    asked, told = queries.flatten(2).transpose(1, 2), taught.flatten(2).transpose(1, 2)  # (N, places, C)
    likeness = F.normalize(asked, dim=2) @ F.normalize(told, dim=2).mT
    found = (likeness / temperature).softmax(2) @ told
    return found.transpose(1, 2).reshape(queries.shape)
