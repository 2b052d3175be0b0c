"""What is to be made faster: a network, how pictures go in, what comes out, the video, and what is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deltadistill.acceleration.fidelity import Decoded
from deltadistill.acceleration.footage import Parts
from deltadistill.acceleration.truth import Truth
from deltadistill.exporting.pictures import as_frames
from deltadistill.runtime.picture_form import PictureForm
from deltadistill.runtime.structure import rebuild
from deltadistill.video.decoders import by_form

_SOME = 5
PERIODS = (2, 3, 4, 5, 7, 10, 14, 20)


@dataclass(frozen=True)
class Case:
    """Everything that trials need, and nothing that they change.

    decode: what outputs mean (video/decoders.py). asked: the fidelity to keep, 0 to 1; of the per-frame
        network's answers, or with `truth` of its score against the truth.
    memory_mib: what a stream may hold at once, maps kept between frames and peak of a frame, by theory at
        full precision, weights apart; None: no bound.
    engines, precisions: names, or () for all that runners have. periods: frames from a key frame to the next.
    """

    network: nn.Module
    pictures: PictureForm
    parts: Parts
    asked: float = 0.98
    decode: Callable[[Any], Decoded] = by_form
    truth: Truth | None = None
    threshold: float = 0.5
    engines: Sequence[str] = ()
    precisions: Sequence[str] = ()
    device: str = "cpu"
    threads: int | None = None
    memory_mib: float | None = None
    periods: Sequence[int] = PERIODS
    seed: int = 0
    name: str = "the network"
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def longest(self) -> int:
        """The longest period."""
        return max(self.periods)

    def example(self) -> Tensor:
        """A picture of the video as the graphs take it, uint8 (1, h, w, 3)."""
        return torch.from_numpy(self.parts.choosing[0].frames[0])[None]

    def some_frames(self) -> Sequence[np.ndarray]:
        """A few pictures of one shot in turn, uint8 (h, w, 3), at least two."""
        return self.parts.choosing[0].frames[:_SOME]

    def decoded(self, structure: Any, arrays: Sequence[Any]) -> Decoded:
        """What a session returned, as an answer; labels in 8 bits where they fit."""
        found = dict(self.decode(rebuild(structure, [np.asarray(array) for array in arrays])))
        labels = found.get("label_map")
        if labels is not None and labels.size and labels.min() >= 0 and labels.max() < 256:
            found["label_map"] = labels.astype(np.uint8)
        return found

    def clips(self, *, most: int, steps: Sequence[int]) -> "Clips":
        """Clips of the learning part: frames at `steps` behind a first one, spread over the part."""
        return Clips(self, most=most, steps=steps)


class Clips(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Clips (T, 3, h, w) as the network takes frames, made when they are asked for.

    Shots that are shorter than the steps give clips of their last frame again. `until`: called before each
    clip; it may raise, to end a distillation.
    """

    def __init__(self, case: Case, *, most: int, steps: Sequence[int]):
        shots = case.parts.learning
        places = [(shot, at) for shot in shots for at in range(max(1, len(shot) - max(steps)))]
        taken = np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int))
        self._places = [places[index] for index in taken]
        self._steps, self._form = steps, case.pictures
        self.until: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Tensor:
        self.until()
        shot, at = self._places[index]
        frames = [shot.frames[min(at + step, len(shot) - 1)] for step in self._steps]
        return as_frames(torch.from_numpy(np.stack(frames)), self._form)

    def stacked(self) -> Tensor:
        """All of them, (N, T, 3, h, w)."""
        return torch.stack([self[index] for index in range(len(self))])
