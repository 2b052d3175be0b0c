"""Distillation of logits (Hinton et al., 2015, §2): class probabilities at a temperature are imitated."""

import torch.nn.functional as F
from torch import Tensor

from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


def softened_divergence(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """T² · KL(teacher ‖ student) at temperature T of logits (N, K, …), mean over frames and places; a scalar.

    T² keeps the gradient's size when T changes (§2).
    """
    own, theirs = (F.log_softmax(each / temperature, 1) for each in (logits, taught))
    return temperature**2 * (theirs.exp() * (theirs - own)).sum(1).mean()


def require_logits(what: str, output: object, taught: object) -> tuple[Tensor, Tensor]:
    """Both outputs as tensors of one shape (N, K, …); ValueError for others."""
    if not (isinstance(output, Tensor) and isinstance(taught, Tensor) and output.shape == taught.shape):
        found = [tuple(o.shape) if isinstance(o, Tensor) else type(o).__name__ for o in (output, taught)]
        raise ValueError(
            f"{what} compares logits (N, K, …) of student and teacher; the networks return {found[0]} and "
            f"{found[1]}"
        )
    return output, taught


class Logits(Objective):
    """The divergence; temperature: 4 as in later comparisons of methods (Hinton et al. used 1 to 20)."""

    def __init__(self, setting: Setting, *, temperature: float = 4.0):
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"the temperature of objective logits is {temperature}; expected more than 0")
        self.temperature = temperature

    @property
    def taps(self) -> Taps:
        """Both outputs."""
        return Taps(output=True, teacher_output=True)

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over frames, by the part's share of the clips."""
        outputs = require_logits("logits", seen.taught_frames(seen.output), seen.teacher_output)
        return softened_divergence(*outputs, self.temperature) * (seen.clips / float(of))
