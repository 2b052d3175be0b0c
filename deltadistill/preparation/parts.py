"""Parts of videos for each split: by the numbers of frames, or the same shares of every shot."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from deltadistill.data.manifest import SPLITS
from deltadistill.preparation.division import Clip, Division

log = logging.getLogger(__name__)

Ranges = Mapping[str, tuple[int, int]]
"""Split → the number of its first frame in the video, from 0, and the number after its last."""


def by_numbers(
    clips: Sequence[Clip], numbers: Mapping[Path, int], ranges: Ranges, min_frames: int
) -> dict[str, list[Clip]]:
    """Split → the frames of every clip whose numbers are in the split's range; frames of none are left out.

    Raises ValueError for a split without a clip of `min_frames`.
    """
    cut = {
        split: [_chosen(clip, split, [f for f in clip.frames if first <= numbers[f] < end]) for clip in clips]
        for split, (first, end) in ranges.items()
    }
    return _long_enough(cut, min_frames)


def of_each_shot(clips: Sequence[Clip], division: Division) -> dict[str, list[Clip]]:
    """Split → of every clip the first frames to train on, the next to tune on, the rest to test on.

    Raises ValueError for a split without a clip of `min_frames`.
    """
    cut: dict[str, list[Clip]] = {split: [] for split in SPLITS}
    for clip in clips:
        count = len(clip.frames)
        ends = [0, round(division.train * count), round((division.train + division.tune) * count), count]
        for split, first, end in zip(SPLITS, ends[:-1], ends[1:], strict=True):
            cut[split].append(_chosen(clip, split, clip.frames[first:end]))
    return _long_enough(cut, division.min_frames)


def _chosen(clip: Clip, split: str, frames: Sequence[Path]) -> Clip:
    return Clip(f"{clip.name}_{split}", tuple(frames))


def _long_enough(cut: Mapping[str, Sequence[Clip]], min_frames: int) -> dict[str, list[Clip]]:
    for clip in (clip for clips in cut.values() for clip in clips if 0 < len(clip.frames) < min_frames):
        log.warning("%s has %d frames, fewer than %d; left out", clip.name, len(clip.frames), min_frames)
    kept = {split: [clip for clip in clips if len(clip.frames) >= min_frames] for split, clips in cut.items()}
    for split, clips in cut.items():
        if not kept[split]:
            raise ValueError(
                f"split {split} has no {min_frames} frames (min_frames) within one shot, but parts of "
                f"{[len(clip.frames) for clip in clips]}; give it more frames, or lower min_frames"
            )
    return kept
