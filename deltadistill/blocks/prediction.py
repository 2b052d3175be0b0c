"""What students predict, and how a block's output comes from it: its change (Eq. 2), or itself (Eq. 1)."""

from typing import Protocol

from torch import Tensor


class Prediction(Protocol):
    """The meaning of a prediction. z_key: outputs of key frames; the rest: of later frames, time first."""

    name: str

    def integrate(self, prediction: Tensor, z_key: Tensor) -> Tensor:
        """The block's outputs from predictions relative to the key frames."""

    def integrate_steps(self, steps: Tensor, z_key: Tensor) -> Tensor:
        """The block's outputs from predictions from each frame to the next."""

    def target(self, z: Tensor, z_key: Tensor) -> Tensor:
        """What the prediction should be, from the teacher's outputs."""


class OfChange:
    """The student predicts Δz, the change of the teacher's output (Eq. 2)."""

    name = "delta"

    def integrate(self, prediction: Tensor, z_key: Tensor) -> Tensor:
        """z = z_key + Δz."""
        return for_each_later_frame(z_key, prediction) + prediction

    def integrate_steps(self, steps: Tensor, z_key: Tensor) -> Tensor:
        """z_t = z_{t−1} + Δz_t."""
        times = steps.shape[0] // z_key.shape[0]
        return self.integrate(steps.unflatten(0, (times, -1)).cumsum(0).flatten(0, 1), z_key)

    def target(self, z: Tensor, z_key: Tensor) -> Tensor:
        """Δz = z − z_key."""
        return z - for_each_later_frame(z_key, z)


class OfFeatures:
    """The student predicts z itself (Eq. 1)."""

    name = "feature"

    def integrate(self, prediction: Tensor, z_key: Tensor) -> Tensor:
        """The prediction is the output."""
        return prediction

    def integrate_steps(self, steps: Tensor, z_key: Tensor) -> Tensor:
        """The predictions are the outputs."""
        return steps

    def target(self, z: Tensor, z_key: Tensor) -> Tensor:
        """The teacher's output."""
        return z


PREDICTIONS = (OfChange.name, OfFeatures.name)


def for_each_later_frame(key: Tensor, later: Tensor) -> Tensor:
    """Repeat the key frames' tensor to pair with `later`: T − 1 frames per key frame, time first."""
    times = later.shape[0] // key.shape[0]
    return key if times == 1 else key.repeat(times, *[1] * (key.dim() - 1))
