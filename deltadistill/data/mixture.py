"""Draws single frames from videos and stills, 1 : 1, as teachers are trained on ImageNet VID and DET."""

import numpy as np

from deltadistill.data.manifest import Frame, Manifest


class EvenMixture:
    """The frames of a split: half of what is drawn are stills (clips of one frame), half frames of videos.

    Every still is equally likely, and every video, whatever its length: its frames look alike. A split that
    has one of the two only gives only these.
    """

    def __init__(self, manifest: Manifest, split: str) -> None:
        clips = list(manifest.clips(split).values())
        if not clips:
            raise ValueError(f"split {split} is empty; there is nothing to draw from")
        self.stills = tuple(clip[0] for clip in clips if len(clip) == 1)
        self.videos = tuple(clip for clip in clips if len(clip) > 1)

    def draw(self, count: int, draws: np.random.Generator) -> list[Frame]:
        """`count` frames in random order; of an odd one out, chance decides what it is."""
        stills = self._stills_among(count, draws)
        drawn = [self.stills[draws.integers(len(self.stills))] for _ in range(stills)]
        for _ in range(count - stills):
            clip = self.videos[draws.integers(len(self.videos))]
            drawn.append(clip[draws.integers(len(clip))])
        return [drawn[place] for place in draws.permutation(count)]

    def _stills_among(self, count: int, draws: np.random.Generator) -> int:
        if not self.stills or not self.videos:
            return count if self.stills else 0
        return count // 2 + (int(draws.integers(2)) if count % 2 else 0)
