"""Fidelity of a way on the choosing part; what leads nowhere is ended after a few sequences."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from deltadistill.acceleration import choice
from deltadistill.acceleration.adaptive import ByChange, Speedup, tried_by_change
from deltadistill.acceleration.baseline import Baseline
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.footage import Sample, samples
from deltadistill.acceleration.scoring import Scores
from deltadistill.acceleration.trial import NO_TIME, Trial
from deltadistill.acceleration.ways import Way

SEQUENCES, FEW = 12, 3
SHORT, SHORT_SEQUENCES = 5, 36  # frames of further sequences: of short periods the others show too little
_NEAR, _BEHIND = (
    0.02,
    0.75,
)  # below what is asked, times as fast as the fastest: key frames by change may help


@dataclass(frozen=True)
class Try:
    """A trial that was judged; way: makes what answered once more; speedup: of sequences of such lengths."""

    trial: Trial
    way: Callable[[], Way]
    speedup: Speedup


@dataclass(frozen=True)
class Judge:
    """Compares ways with the per-frame network, on the same sequences each time."""

    case: Case
    base: Baseline
    budget: Budget
    stretches: ByChange | None = None

    def judged(self, way: Way, trial: Trial, others: Sequence[Trial] = (), *, prunes: bool = False) -> Trial:
        """The trial with its fidelity by period.

        prunes: end it after FEW sequences where it is far from what is asked, or `others` dominate it; and
        in any case where the next sequence would not end in time: with NO_TIME, before there were FEW.
        """
        scores, short, scorer = Scores(), Scores(), self.base.scorer(self.case)
        sequences, ended = sequences_of(self.case), ""
        seconds, left = self._of_frames(self.case.longest, trial), self.budget.left()
        for number, sequence in enumerate(sequences, 1):
            if left < seconds:
                if number <= FEW:
                    return replace(trial, ended=NO_TIME)
                break
            scorer.add(scores, way, sequence)
            before, left = left, self.budget.left()
            seconds = before - left
            if number == FEW < len(sequences):
                first = replace(trial, **scorer.tables(scores, self.case.periods))
                if ended := self._end(first, others) if prunes else "":
                    break
        for sequence in () if ended else short_ones(self.case):
            if not self.budget.allows(seconds * SHORT / self.case.longest):
                break
            scorer.add(short, way, sequence, most=SHORT)
        return replace(trial, ended=ended, **self._tables(scores, short))

    def by_change(self, tries: Sequence[Try], others: Sequence[Trial]) -> Iterator[Trial]:
        """The best of some ways once more, with key frames where the picture has changed.

        Nothing where the video does not change, where none of them is near what is asked and near the fastest
        of all, `others` with them, or where time is short.
        """
        best = choice.choose([*others, *(each.trial for each in tries)], asked=self.case.asked).taken
        least = self.case.asked - _NEAR
        points = [(choice.fastest_by_mean(each.trial.points(), least), each) for each in tries]
        near = [(point, each) for point, each in points if point and point.speedup >= _BEHIND * best.speedup]
        if not near or self.stretches is None:
            return
        _, found = max(near, key=lambda pair: pair[0].speedup)
        seconds = self._of_frames(self.stretches.frames, found.trial)
        tried = tried_by_change(
            self.stretches,
            found.way(),
            found.trial,
            self.base.scorer(self.case),
            found.speedup,
            self.budget.for_passes(seconds),
        )
        if tried is not None:
            yield tried

    def _of_frames(self, count: int, trial: Trial) -> float:
        """Seconds that so many frames take at most, by the times of the trial, with their references."""
        parts = trial.parts_ms
        return count * (parts.get("frame", 0.0) + max(parts.values(), default=0.0)) / 1e3

    def _tables(self, scores: Scores, short: Scores) -> dict[str, dict[int, float]]:
        """Of short periods by all sequences, of longer ones by those that are long enough.

        Frames near their key frames would count for too much otherwise.
        """
        scorer, periods = self.base.scorer(self.case), self.case.periods
        near = scorer.tables(
            scores.with_others(short, SHORT), [period for period in periods if period <= SHORT]
        )
        far = scorer.tables(scores, [period for period in periods if period > SHORT])
        return {name: near[name] | far[name] for name in near}

    def _end(self, trial: Trial, others: Sequence[Trial]) -> str:
        if choice.is_hopeless(trial, asked=self.case.asked, within=choice.FAR):
            return "far from what is asked for, seen on a few sequences"
        dominated = choice.is_dominated(trial, others)
        return "others are as fast and more faithful, seen on a few sequences" if dominated else ""


def short_ones(case: Case) -> list[Sample]:
    """Further sequences of the choosing part, for short periods; none begins where one of the others does."""
    others = {(id(each.shot), each.start) for each in sequences_of(case)}
    found = samples(case.parts.choosing, longest=SHORT, most=SHORT_SEQUENCES)
    return [each for each in found if (id(each.shot), each.start) not in others]


def sequences_of(case: Case) -> list[Sample]:
    """The sequences of the choosing part."""
    return samples(case.parts.choosing, longest=case.longest, most=SEQUENCES)
