"""A denoiser as a network of frames: what it answers is how well it tells the noise that frames are given.

The noise and the steps of a batch are drawn from the batch itself. So a student and its teacher see the
same, and so do all networks that are compared on the same batches, whatever runs them; and a training, in
which no batch comes twice, sees noise that is always new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from deltadistill.data.frames import MEAN, STD
from deltadistill.models.ddpm_unet import DDPMUNet
from deltadistill.models.noise_schedule import NoiseSchedule

ESTIMATE, NOISE = "estimate", "noise"


def build(
    *,
    classes: int,
    width: int = 128,
    multipliers: Sequence[int] = (1, 2, 2, 2),
    attention: Sequence[int] = (1,),
    blocks: int = 2,
    dropout: float = 0.1,
    steps: int = 1000,
) -> Denoiser:
    """Build the network of DDPM with random weights; by default the published one for CIFAR-10.

    classes: of no meaning, as pictures are made of any. steps: T of the diffusion, β from 1e-4 to 0.02.
    Others as of `DDPMUNet`.
    """
    return Denoiser(NoiseSchedule(steps), width, multipliers, attention, blocks, dropout)


class Denoiser(DDPMUNet):
    """DDPM's U-Net, which knows its diffusion and how frames become its pictures."""

    def __init__(self, schedule: NoiseSchedule, *unet: object) -> None:
        super().__init__(*unet)  # type: ignore[arg-type]
        self.schedule = schedule

    def frame_outputs(self, frames: Tensor) -> dict[str, Tensor]:
        """Give normalised frames (N, 3, H, W) noise, and estimate it: both of the same shape."""
        steps, noise = drawn(frames, self.schedule.steps)
        noised = self.schedule.noised(pictures_of(frames), noise, steps)
        return {ESTIMATE: self(noised, steps), NOISE: noise}


def drawn(frames: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Steps (N,) of so many, evenly likely, and normal noise, as a function of frames (N, 3, H, W)."""
    digest = hashlib.blake2b(frames.detach().cpu().contiguous().numpy().tobytes(), digest_size=7).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
    chosen = torch.randint(steps, (len(frames),), generator=generator)
    noise = torch.randn(frames.shape, generator=generator)
    return chosen.to(frames.device), noise.to(frames)


def pictures_of(frames: Tensor) -> Tensor:
    """Pictures from −1 to 1 of normalised frames (N, 3, H, W)."""
    mean, deviation = (torch.tensor(each, device=frames.device).view(3, 1, 1) for each in (MEAN, STD))
    return 2 * (frames * deviation + mean) - 1


def frames_of(pictures: Tensor) -> Tensor:
    """Normalised frames of pictures (N, 3, H, W) from −1 to 1, as classifiers of this project take them."""
    mean, deviation = (torch.tensor(each, device=pictures.device).view(3, 1, 1) for each in (MEAN, STD))
    return ((pictures + 1) / 2 - mean) / deviation
