"""How good generated pictures are: FID, precision and recall by the features of any classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import inputs
from deltadistill.forward.modes import evaluation_mode
from deltadistill.metrics.frechet import frechet_distance
from deltadistill.metrics.manifolds import precision_and_recall
from deltadistill.models.ddim import sample
from deltadistill.processes.group import device_of
from deltadistill.tasks.denoiser import Denoiser, frames_of


@dataclass(frozen=True)
class GeneratedScores:
    """Fréchet distance; shares of what is made that looks real, and of what is real that is made."""

    fid: float
    precision: float
    recall: float


def scores(made: Tensor, real: Tensor) -> GeneratedScores:
    """Scores of features (N, D) of generated pictures against those of real ones (M, D)."""
    distance = frechet_distance(made.double().numpy(), real.double().numpy())
    return GeneratedScores(distance, *precision_and_recall(made, real))


@torch.no_grad()
def features(classifier: nn.Module, batches: Iterable[Tensor]) -> Tensor:
    """What the last linear layer of a classifier is given for frames (…, 3, H, W), float32 (N, D).

    Raises ValueError for a network without a linear layer, or whose last one is given no row a frame.
    """
    last = next((m for m in reversed(list(classifier.modules())) if isinstance(m, nn.Linear)), None)
    if last is None:
        raise ValueError(
            f"{type(classifier).__name__} has no linear layer; features are what its last one takes"
        )
    found: list[Tensor] = []
    handle = last.register_forward_pre_hook(lambda _, given: found.append(given[0].float().cpu()))
    frames = 0
    try:
        with evaluation_mode(classifier):
            for batch in batches:
                frames += len(batch)
                classifier(batch.to(device_of(classifier)))
    finally:
        handle.remove()
    rows = torch.cat(found)
    if rows.ndim != 2 or len(rows) != frames:
        raise ValueError(
            f"the last linear layer of {type(classifier).__name__} is given {tuple(rows.shape)} for {frames} "
            "frames; expected a row for each"
        )
    return rows


def real_batches(store: FrameStore, frames: list[Frame], batch: int = 100) -> Iterator[Tensor]:
    """Normalised frames of a data set, batch after batch."""
    for start in range(0, len(frames), batch):
        yield inputs(store, frames[start : start + batch])


def made_batches(
    network: Denoiser, size: tuple[int, int], *, count: int, steps: int, seed: int, batch: int = 100
) -> Iterator[Tensor]:
    """Normalised frames of `count` pictures that a network makes by DDIM, batch after batch."""
    generator = torch.Generator().manual_seed(seed)
    device = device_of(network)
    for start in range(0, count, batch):
        with evaluation_mode(network):
            made = sample(
                network, network.schedule, (3, *size), count=min(batch, count - start),
                generator=generator, steps=steps, device=device,
            )  # fmt: skip
        yield frames_of((made.clamp(-1, 1) * 127.5).round() / 127.5)  # as files of pictures have them
