"""The noise of a diffusion (DDPM, Ho et al., NeurIPS 2020): how much a picture keeps after each step."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseSchedule:
    """Variances that rise linearly; a picture at step t is √ᾱ_t · picture + √(1 − ᾱ_t) · noise (Eq. 4).

    steps: T. first, last: β_1 and β_T, the variances that the first and the last step add.
    """

    steps: int = 1000
    first: float = 1e-4
    last: float = 0.02

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 < self.first <= self.last < 1:
            raise ValueError(
                f"a diffusion of {self.steps} steps with variances {self.first} to {self.last} cannot be; "
                "expected at least 1 step, and variances above 0, below 1, that do not fall"
            )

    @cached_property
    def kept(self) -> Tensor:
        """ᾱ_t, the share of a picture's variance that is left at step t, counted from 0; float64 (T,)."""
        added = torch.linspace(self.first, self.last, self.steps, dtype=torch.float64)
        return (1 - added).cumprod(0)

    def noised(self, pictures: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) from −1 to 1 with noise of the same shape, each at its step, (N,), from 0."""
        kept = self.kept_at(steps, pictures)
        return kept.sqrt() * pictures + (1 - kept).sqrt() * noise

    def kept_at(self, steps: Tensor, like: Tensor) -> Tensor:
        """ᾱ of steps (N,), of shape (N, 1, 1, 1), and as `like` is otherwise."""
        return self.kept.to(steps.device)[steps].to(like)[:, None, None, None]
