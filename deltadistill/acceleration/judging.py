"""Fidelity of a way on the choosing part; what leads nowhere is ended after a few sequences."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deltadistill.acceleration import choice
from deltadistill.acceleration.baseline import Baseline
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.footage import Sample, samples
from deltadistill.acceleration.scoring import Scores
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.ways import Way

SEQUENCES, FEW = 12, 3
FAR = 0.3  # below what is asked: a few sequences show that nothing will mend it


@dataclass(frozen=True)
class Judge:
    """Compares ways with the per-frame network, on the same sequences each time."""

    case: Case
    base: Baseline
    budget: Budget

    def judged(self, way: Way, trial: Trial, others: Sequence[Trial] = (), *, prunes: bool = False) -> Trial:
        """The trial with its fidelity by period.

        prunes: end it after FEW sequences where it is far from what is asked, or `others` dominate it; and
        where the time is over in any case.
        """
        scores, scorer = Scores(), self.base.scorer(self.case)
        sequences, ended = sequences_of(self.case), ""
        for number, sequence in enumerate(sequences, 1):
            scorer.add(scores, way, sequence)
            if number == FEW < len(sequences):
                first = replace(trial, **scorer.tables(scores, self.case.periods))
                ended = self._end(first, others) if prunes else ""
            if number >= FEW and (ended or self.budget.left() < 0):
                break
        return replace(trial, ended=ended, **scorer.tables(scores, self.case.periods))

    def _end(self, trial: Trial, others: Sequence[Trial]) -> str:
        if choice.is_hopeless(trial, asked=self.case.asked, within=FAR):
            return "far from what is asked for, seen on a few sequences"
        dominated = choice.is_dominated(trial, others)
        return "others are as fast and more faithful, seen on a few sequences" if dominated else ""


def sequences_of(case: Case) -> list[Sample]:
    """The sequences of the choosing part."""
    return samples(case.parts.choosing, longest=case.longest, most=SEQUENCES)
