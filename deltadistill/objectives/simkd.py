"""A reused classifier (SimKD, Chen et al., CVPR 2022, Eq. 3): the last map alone is imitated.

Student and teacher then classify alike by the teacher's own classifier. The published student keeps a
projection to the teacher's channels; one that pools earlier has the teacher's channels and needs none.
"""

from torch import Tensor

from deltadistill.objectives.compared_maps import ComparedMaps, last_at_each_size
from deltadistill.objectives.fitnets import hint_loss
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class SimKD(Objective):
    """Mean squared distance of the last maps.

    Without a task loss beside it (`loss.task: none`) a student that starts from the teacher's weights keeps
    its classifier, as nothing reaches it. module: of the map; None: the last one.
    Raises ValueError for maps of other channels than the teacher's.
    """

    def __init__(self, setting: Setting, *, module: str | None = None):
        super().__init__()
        self.compared = ComparedMaps.named(setting, module or last_at_each_size(setting)[-1], "simkd")
        ((own, taught),) = self.compared.channels(setting)
        if own != taught:
            raise ValueError(
                f"{self.compared.modules[0]} has {own} channels in the student and {taught} in the teacher; "
                "simkd needs equal ones, as the teacher's classifier reads them"
            )

    @property
    def taps(self) -> Taps:
        """The module."""
        return self.compared.taps

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean, by the part's share of the clips."""
        ((own, taught),) = self.compared.of(seen)
        return hint_loss(own, taught) * (seen.clips / float(of))
