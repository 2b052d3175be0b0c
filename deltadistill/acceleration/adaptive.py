"""Key frames where the picture has changed: a threshold for each mean period, and ways answered by it.

Thresholds are those that give a period's share of key frames on the choosing part; there the way is run as a
stream runs it, with the schedule itself. A period that is kept is followed by the next longer one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.footage import Shot, pieces
from deltadistill.acceleration.scoring import Scorer, Scores
from deltadistill.acceleration.trial import Point, Trial
from deltadistill.acceleration.ways import Way
from deltadistill.account.latency import Call
from deltadistill.blocks.schedules import Adaptive

NAME = "key frames by change"
_FRAMES, _LENGTH = 240, 100  # of the choosing part; of a stretch of it: several sequences of any period
_THRESHOLDS = 150  # between the least and the largest change that there is
_LONGEST = 2  # times the longest period: frames after which there is a key frame in any case

Speedup = Callable[[Sequence[int]], float]
"""Of sequences of these lengths, one after another."""


@dataclass(frozen=True)
class ByChange:
    """Stretches of the choosing part with the changes from frame to frame, grey levels."""

    case: Case
    stretches: Sequence[Shot]
    changes: Sequence[np.ndarray]

    @property
    def frames(self) -> int:
        """How many there are in all."""
        return sum(map(len, self.stretches))

    def schedule(self, threshold: float) -> Adaptive:
        """Of a runner."""
        return Adaptive(threshold, longest=longest(self.case))

    def threshold(self, period: int) -> float | None:
        """That which gives about so many frames for a key frame; None where nothing changes."""
        moving = np.concatenate([each[each > 0] for each in self.changes])
        if not len(moving):
            return None
        most = max(each.sum() for each in self.changes)
        tried = np.geomspace(moving.min(), max(most, moving.min()), _THRESHOLDS)
        rounded = [float(f"{value:.3g}") for value in tried]
        return min(rounded, key=lambda each: abs(self._keys(each) - self.frames / period))

    def _keys(self, threshold: float) -> int:
        return sum(len(lengths(each, threshold, longest(self.case))) for each in self.changes)

    def answered(self, way: Way, scorer: Scorer, threshold: float) -> tuple[Scores, list[int]]:
        """What agreed, and the lengths of the sequences that there were."""
        scores, found = Scores(), list[int]()
        for stretch in self.stretches:
            schedule = self.schedule(threshold)
            for place, frame in enumerate(stretch.frames):
                given = frame[None]
                is_key = schedule.is_due(given)
                answer = way.begin(frame) if is_key else way.next_one(frame)
                schedule.note(given, is_key=is_key)
                scorer.note(scores, 0, stretch, place, answer)
                found.append(1 if is_key else found.pop() + 1)
        return scores, found


def by_change(case: Case) -> ByChange:
    """The stretches of a case's choosing part."""
    stretches = pieces(case.parts.choosing, longest=_LENGTH, frames=_FRAMES)
    return ByChange(case, stretches, [changes(each.frames) for each in stretches])


def changes(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Mean absolute difference of each frame uint8 (h, w, 3) and the one before it (n − 1,), grey levels."""
    pairs = zip(frames[1:], frames, strict=False)
    return np.array([np.abs(one.astype(np.float32) - other).mean() for one, other in pairs])


def lengths(changed: np.ndarray, threshold: float, most: int) -> list[int]:
    """Lengths of the sequences that `Adaptive` makes of frames with these changes between them."""
    found, total = [1], 0.0
    for change in changed:
        total += float(change)
        if total >= threshold or found[-1] == most:
            found.append(0)
            total = 0.0
        found[-1] += 1
    return found


def longest(case: Case) -> int:
    """Frames after which there is a key frame in any case."""
    return _LONGEST * case.longest


def tried_by_change(
    by: ByChange, way: Way, trial: Trial, scorer: Scorer, speedup: Speedup, goes_on: Callable[[], bool]
) -> Trial | None:
    """A trial of the same way with key frames by change: from the longest period that it keeps, upwards.

    goes_on: asked before each period. None where nothing changes in the video, or there is no time.
    """
    tables: dict[str, dict[int, float]] = {}
    for period in _periods(by.case, trial):
        threshold = by.threshold(period)
        if threshold is None or not goes_on():
            break
        scores, found = by.answered(way, scorer, threshold)
        told = {name: table[1] for name, table in scorer.tables(scores, [1]).items() if table}
        if "kept" not in told:
            break
        told |= {"thresholds": threshold, "key_shares": len(found) / sum(found), "speedups": speedup(found)}
        for name, value in told.items():
            tables.setdefault(name, {})[period] = value
        if told["lower"] < by.case.asked:
            break
    return replace(trial, name=f"{trial.name}, {NAME}", ended="", **tables) if tables else None


def _periods(case: Case, trial: Trial) -> Iterator[int]:
    """From the longest that the way keeps at fixed distances; all, where it keeps none."""
    kept = [period for period, value in trial.lower.items() if value >= case.asked]
    return (period for period in sorted(case.periods) if period >= max(kept, default=0))


def watching(case: Case) -> Call:
    """What a schedule does with each frame, as a call to be timed."""
    schedule, frames = Adaptive(float(2**30)), cycle(frame[None] for frame in case.some_frames())

    def watch() -> None:
        frame = next(frames)
        schedule.note(frame, is_key=schedule.is_due(frame))

    return watch


def usual(case: Case, point: Point) -> Sequence[np.ndarray]:
    """Frames of the choosing part's longest shot to time a runner on: a period of it; where key frames come
    by change, three, with about as many key frames among them as the point has."""
    shot = max(case.parts.choosing, key=len)
    if point.threshold is None:
        return [shot.frames[number % len(shot)] for number in range(point.period)]
    count = min(len(shot), 3 * point.period)
    changed = changes(shot.frames)

    def off(start: int) -> float:
        found = lengths(changed[start : start + count - 1], point.threshold or 0.0, longest(case))
        return abs(len(found) / count - point.key_share)

    start = min(range(len(shot) - count + 1), key=off)
    return shot.frames[start : start + count]
