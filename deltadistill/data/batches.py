"""Training batches: a pure function of (seed, step), so that a training resumes to the same result."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from deltadistill.data.annotations import Drawn
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.data.mixture import EvenMixture
from deltadistill.data.transforms import Augment, draw_view

WAYS = {"forward": (1,), "both": (1, -1)}  # through time: 1 with it, -1 against it


class TrainingBatches(Dataset):
    """Item i is the batch of step i: {"clip": uint8 (N, T, 3, h, w), "label": uint8 (N, T, h, w)}.

    For a data set with boxes, "label" is float32 (N, T, M, 5), see box_lists; single frames are drawn from
    videos and stills, 1 : 1, where it has both (mixture.EvenMixture). With targets it is float32 (N, T).
    `clip_length` T: 1 gives single frames; 2 a key frame and a frame 1 to `max_distance` later, uniformly;
    more gives T frames at rising random gaps that span at most `max_distance`. The last frame is a labelled
    one wherever the split has labels at all; frames without label have label 255 throughout.
    directions: "forward", or "both": the later frames of a clip may be earlier ones as well, all of them,
    and the two ways in which a last frame can be reached are equally likely.
    rows: which of the batch's clips to read, where several processes share it; None: all. The others are
    drawn as well, so that the clips are the same however they are shared.
    """

    def __init__(
        self,
        store: FrameStore,
        split: str,
        *,
        steps: int,
        batch: int,
        clip_length: int,
        max_distance: int,
        augment: Augment,
        seed: int,
        directions: str = "forward",
        rows: Sequence[int] | None = None,
    ):
        if steps < 0 or batch < 1 or clip_length < 1:
            raise ValueError(
                f"steps {steps}, batch {batch}, clip_length {clip_length}: must be at least 0, 1, 1"
            )
        if clip_length > 1 and max_distance < clip_length - 1:
            raise ValueError(
                f"{clip_length} frames span at least {clip_length - 1}, more than max_distance "
                f"{max_distance}; raise it"
            )
        self._store, self._steps, self._batch = store, steps, batch
        self._rows = range(batch) if rows is None else rows
        self._length, self._augment, self._seed = clip_length, augment, seed
        self._spans = max_distance if clip_length > 1 else 0
        self._clips = list(store.manifest.clips(split).values())
        ways = WAYS[directions]
        self._ends = _ends(self._clips, clip_length - 1, self._spans, ways, split, store.is_annotated)
        mixes_stills = store.annotations.mixes_stills and clip_length == 1
        self._mixture = EvenMixture(store.manifest, split) if mixes_stills else None

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        if not 0 <= step < self._steps:
            raise IndexError(f"step {step} of {self._steps}")
        draws = np.random.default_rng((self._seed, step))
        drawn = self._draw(draws)
        mine = [drawn[index] for index in self._rows]
        height, width = self._augment.crop
        clip = np.empty((len(mine), self._length, height, width, 3), np.uint8)
        for row, (frames, view) in zip(clip, mine, strict=True):
            for place, frame in zip(row, frames, strict=True):
                place[:] = view.image(self._store.image_array(frame))
        channels_first = np.ascontiguousarray(clip.transpose(0, 1, 4, 2, 3))
        label = self._store.annotations.batch(self._store, mine, self._augment.crop)
        return {"clip": torch.from_numpy(channels_first), "label": torch.from_numpy(label)}

    def _draw(self, draws: np.random.Generator) -> list[Drawn]:
        if self._mixture:
            frames = self._mixture.draw(self._batch, draws)
            return [([frame], draw_view(self._augment, self._store.size, draws)) for frame in frames]
        return [
            (self._draw_frames(draws), draw_view(self._augment, self._store.size, draws))
            for _ in range(self._batch)
        ]

    def _draw_frames(self, draws: np.random.Generator) -> list[Frame]:
        """Distances to the last frame first, then a last frame that has them all inside its clip."""
        back = np.zeros(1, np.int64)
        if self._length > 1:
            chosen = draws.choice(self._spans, size=self._length - 1, replace=False) + 1
            back = np.concatenate([np.sort(chosen)[::-1], back])
        number, index, way = self._ends[back[0]][draws.integers(len(self._ends[back[0]]))]
        return [self._clips[number][index - way * gap] for gap in back]


def _ends(
    clips: list[tuple[Frame, ...]],
    shortest: int,
    longest: int,
    ways: Sequence[int],
    split: str,
    is_annotated: Callable[[Frame], bool],
) -> dict[int, list[tuple[int, int, int]]]:
    """Per span of a sequence, (clip number, frame index, way) where and how one of that span may end."""
    any_label = any(is_annotated(frame) for clip in clips for frame in clip)
    ends = {}
    for span in range(shortest, longest + 1):
        ends[span] = [
            (number, index, way)
            for way in ways
            for number, clip in enumerate(clips)
            for index in (range(span, len(clip)) if way > 0 else range(len(clip) - span))
            if not any_label or is_annotated(clip[index])
        ]
        if not ends[span]:
            raise ValueError(
                f"no clip of split {split} holds a sequence that spans {span} frames and ends on a labelled "
                "one; lower max_distance"
            )
    return ends
