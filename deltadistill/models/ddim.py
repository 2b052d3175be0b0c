"""Pictures out of noise in few steps: DDIM (Song et al., ICLR 2021), and DDPM's own way as its case η = 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from deltadistill.models.noise_schedule import NoiseSchedule

Estimate = Callable[[Tensor, Tensor], Tensor]
"""Maps noised pictures (N, 3, H, W) and their steps (N,) to the noise in them."""


def chosen_steps(total: int, count: int) -> list[int]:
    """`count` of `total` steps, evenly spread, the last one first; the first step, 0, is among them.

    Raises ValueError unless 1 ≤ count ≤ total.
    """
    if not 1 <= count <= total:
        raise ValueError(f"pictures cannot be made in {count} of {total} steps; expected 1 to {total}")
    return [place * total // count for place in reversed(range(count))]


def ddim_step(
    noised: Tensor,
    noise: Tensor,
    kept: float,
    kept_next: float,
    *,
    eta: float = 0.0,
    fresh: Tensor | None = None,
) -> Tensor:
    """One step (Eq. 12) from pictures that keep ᾱ `kept` to such that keep `kept_next`; noise: in them.

    The picture itself is estimated first, and clipped to −1 … 1, as DDPM's sampling does; the noise is then
    what leads to it. eta: how much of the noise is made anew, from `fresh`; 0: none (DDIM), 1: DDPM's.
    """
    pictures = ((noised - (1 - kept) ** 0.5 * noise) / kept**0.5).clamp(-1, 1)
    noise = (noised - kept**0.5 * pictures) / (1 - kept) ** 0.5
    anew = eta * ((1 - kept_next) / (1 - kept) * (1 - kept / kept_next)) ** 0.5
    made = kept_next**0.5 * pictures + max(0.0, 1 - kept_next - anew**2) ** 0.5 * noise
    return made if fresh is None else made + anew * fresh


@torch.no_grad()
def sample(
    estimate: Estimate,
    schedule: NoiseSchedule,
    size: Sequence[int],
    *,
    count: int,
    generator: torch.Generator,
    steps: int = 50,
    eta: float = 0.0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Make `count` pictures (count, C, H, W) of a size (C, H, W), from −1 to 1, in so many steps.

    generator: of noise, on the processor, so that the same pictures come about anywhere.
    """
    chosen = chosen_steps(schedule.steps, steps)
    kept = [float(schedule.kept[step]) for step in chosen]
    made = torch.randn(count, *size, generator=generator).to(device)
    for step, now, after in zip(chosen, kept, [*kept[1:], 1.0], strict=True):
        noise = estimate(made, torch.full((count,), step, device=made.device))
        fresh = torch.randn(count, *size, generator=generator).to(device) if eta and after < 1 else None
        made = ddim_step(made, noise, now, after, eta=eta, fresh=fresh)
    return made
