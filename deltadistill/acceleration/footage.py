"""Videos as frames of a network's size, in shots: frames that go on from one another, never across a cut."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from deltadistill.video.fitting import Window, fitted, window
from deltadistill.video.key_needs import KeyNeeds
from deltadistill.video.source import Source, open_source

_MOST_BYTES = 2 * 2**30  # of all frames in memory


@dataclass(frozen=True)
class Shot:
    """Frames uint8 (h, w, 3) that follow one another, with their numbers in the video.

    picture: (height, width) of the video's pictures; where: of the frame in the picture.
    """

    video: str
    picture: tuple[int, int]
    where: Window
    numbers: Sequence[int]
    frames: Sequence[np.ndarray]

    def __len__(self) -> int:
        return len(self.frames)

    def between(self, start: int, end: int) -> "Shot":
        """The frames from `start` up to `end`, by their places in this shot."""
        return Shot(self.video, self.picture, self.where, self.numbers[start:end], self.frames[start:end])


def read_footage(
    videos: Sequence[str], *, size: tuple[int, int], fit: str, scene_cut: float | None = 0.5
) -> tuple[list[list[Shot]], list[str]]:
    """The shots of each video, and what there is to say of how they were read.

    Of a video that is longer than memory allows, its beginning is taken, which the notes say. Raises
    ValueError for a live source, which has no end, and for what is no video.
    """
    most = max(2, _MOST_BYTES // (len(videos) * size[0] * size[1] * 3))
    found, notes = [], []
    for name in videos:
        with closing(open_source(name)) as source:
            if source.is_live:
                raise ValueError(f"{name} is live and has no end; record a few minutes, and give the file")
            shots, is_whole = _shots(source, size, fit, scene_cut, most)
            notes += [f"{name}: {note}" for note in source.notes()]
        if not is_whole:
            notes.append(f"{name}: the first {most} frames, which is what memory is set aside for")
        found.append(shots)
    return found, notes


def _shots(
    source: Source, size: tuple[int, int], fit: str, scene_cut: float | None, most: int
) -> tuple[list[Shot], bool]:
    needs, shots, count = KeyNeeds(scene_cut=scene_cut), [], 0
    frames: list[np.ndarray] = []
    numbers: list[int] = []
    picture = (0, 0)

    def end() -> None:
        if frames:
            where = window(picture, size, fit)
            shots.append(Shot(source.name, picture, where, tuple(numbers), tuple(frames)))
        frames.clear()
        numbers.clear()

    with closing(source.frames()) as stream:
        for frame in stream:
            if needs.why(frame):
                end()
            if count == most:
                end()
                return shots, False
            picture = frame.pixels.shape[:2]
            frames.append(fitted(frame.pixels, size, fit))
            numbers.append(frame.number)
            count += 1
    end()
    return shots, True


@dataclass(frozen=True)
class Parts:
    """Shots to learn from, to choose by, and to report on: three parts of every video, one after another."""

    learning: Sequence[Shot]
    choosing: Sequence[Shot]
    testing: Sequence[Shot]


SHARES = (0.6, 0.8)  # of the frames of a video, where the second and the third part begin
_LEAST = 15


def split(videos: Sequence[Sequence[Shot]]) -> Parts:
    """Split every video in time, 60 : 20 : 20; a shot that a boundary lies in is cut there.

    Raises ValueError for videos with too few frames that go on from one another.
    """
    parts: tuple[list[Shot], ...] = ([], [], [])
    for shots in videos:
        count = sum(map(len, shots))
        bounds = [0, *(round(share * count) for share in SHARES), count]
        for part, low, high in zip(parts, bounds, bounds[1:], strict=False):
            part.extend(_within(shots, low, high))
    kept = [[shot for shot in part if len(shot) > 1] for part in parts]
    if not all(kept) or sum(len(shot) for part in kept for shot in part) < _LEAST:
        raise ValueError(
            f"{', '.join(shots[0].video for shots in videos if shots) or 'the videos'}: too few frames that "
            f"go on from one another, {[sum(map(len, part)) for part in kept]} to learn from, to choose by "
            f"and to test on; expected {_LEAST} or more, at least 2 in each; give a longer video"
        )
    return Parts(*kept)


def _within(shots: Sequence[Shot], low: int, high: int) -> Iterator[Shot]:
    begun = 0
    for shot in shots:
        start, end = max(low - begun, 0), min(high - begun, len(shot))
        if start < end:
            yield shot.between(start, end)
        begun += len(shot)


@dataclass(frozen=True)
class Sample:
    """A sequence to answer: a shot, and the place of its key frame."""

    shot: Shot
    start: int

    def frames(self, longest: int) -> Sequence[np.ndarray]:
        """The key frame and what follows it, at most `longest` in all."""
        return self.shot.frames[self.start : self.start + longest]

    def numbers(self, longest: int) -> Sequence[int]:
        """Numbers of these frames in the video."""
        return self.shot.numbers[self.start : self.start + longest]


def samples(shots: Sequence[Shot], *, longest: int, most: int) -> list[Sample]:
    """At most so many sequences, spread over the shots, in an order whose beginnings are spread too."""
    places = [
        Sample(shot, start)
        for shot in shots
        for start in range(max(1, len(shot) - min(longest, len(shot)) + 1))
        if len(shot) > 1
    ]
    taken = np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int))
    order = sorted(range(len(taken)), key=_reversed_bits)
    return [places[taken[index]] for index in order]


def pieces(shots: Sequence[Shot], *, longest: int, frames: int) -> list[Shot]:
    """Shots cut into pieces of at most `longest` frames, so many that there are `frames` of them, spread."""
    cut = []
    for shot in shots:
        bounds = np.linspace(0, len(shot), -(-len(shot) // longest) + 1).round().astype(int)
        cut += [shot.between(low, high) for low, high in pairwise(bounds)]
    taken: list[Shot] = []
    for index in sorted(range(len(cut)), key=_reversed_bits):
        if sum(map(len, taken)) < frames:
            taken.append(cut[index])
    return taken


def _reversed_bits(number: int) -> float:
    """Van der Corput's sequence: every beginning of it is spread evenly."""
    value, share = 0.0, 0.5
    while number:
        value += share * (number & 1)
        number, share = number >> 1, share / 2
    return value
