"""Fidelity of a way by period: sequences are answered once, and frames up to each distance are counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.fidelity import Measure
from deltadistill.acceleration.footage import Sample, Shot
from deltadistill.acceleration.ways import OfRunner, PerFrame, Way

_WORST, _SHOWN = 3, 50  # frames: the worst, and those that are shown as a video


@dataclass
class Scores:
    """Records by distance from the key frame, of agreement with the per-frame network and with the truth."""

    agreement: list[list[Any]] = field(default_factory=list)
    truth: list[list[Any]] = field(default_factory=list)
    plain_truth: list[list[Any]] = field(default_factory=list)

    def with_others(self, others: "Scores", most: int) -> "Scores":
        """Of the frames nearer than `most` to their key frames, with those of others."""
        tables = ((self.agreement, others.agreement), (self.truth, others.truth))
        tables = (*tables, (self.plain_truth, others.plain_truth))
        return Scores(*(_together(one[:most], other[:most]) for one, other in tables))

    def fidelity(self, measure: Measure, period: int) -> float:
        """Of all frames nearer to their key frame than the period."""
        return measure.total([record for records in self.agreement[:period] for record in records])

    def score(self, case: Case, period: int) -> float | None:
        """Against the truth, where there is one."""
        return _against(case, self.truth[:period])

    def kept(self, case: Case, measure: Measure, period: int) -> float | None:
        """What is compared with the fidelity asked for; None where there is truth, and of none of the frames.

        With truth the share of the per-frame network's own score on the same frames, else the fidelity.
        """
        if case.truth is None:
            return self.fidelity(measure, period)
        plain = _against(case, self.plain_truth[:period])
        if plain is None:
            return None
        return (self.score(case, period) or 0.0) / plain if plain else 1.0


def _together(one: list[list[Any]], other: list[list[Any]]) -> list[list[Any]]:
    return [[*first, *second] for first, second in zip_longest(one, other, fillvalue=())]


def _against(case: Case, records: Sequence[Sequence[Any]]) -> float | None:
    found = [record for of_distance in records for record in of_distance]
    return case.truth.total(found) if case.truth is not None and found else None


class Scorer:
    """Answers sequences by a way and compares, adding to `scores`."""

    def __init__(self, case: Case, measure: Measure, plain: PerFrame):
        self._case, self.measure, self._plain = case, measure, plain

    def add(self, scores: Scores, way: Way, sample: Sample, *, most: int | None = None) -> None:
        """Answer one sequence, of `most` frames at most, by default as long as the longest period."""
        frames = sample.frames(self._case.longest if most is None else most)
        for distance, frame in enumerate(frames):
            answer = way.next_one(frame) if distance else way.begin(frame)
            self.note(scores, distance, sample.shot, sample.start + distance, answer)

    def note(self, scores: Scores, distance: int, shot: Shot, place: int, answer: Any) -> None:
        """Take down an answer to the frame at a place of a shot, as one so far from its key frame."""
        frame, number = shot.frames[place], shot.numbers[place]
        for table in (scores.agreement, scores.truth, scores.plain_truth):
            if len(table) == distance:
                table.append([])
        reference = self._plain.begin(frame)
        scores.agreement[distance].append(self.measure.record(reference, answer))
        truth, size = self._case.truth, self._case.pictures.size
        if truth is not None and truth.covers(number):
            scores.truth[distance].append(truth.record(shot, number, answer, size))
            scores.plain_truth[distance].append(truth.record(shot, number, reference, size))

    def tables(self, scores: Scores, periods: Sequence[int]) -> dict[str, dict[int, float]]:
        """The tables of a trial, for periods that sequences were long enough for, and truth was there for."""
        case = self._case
        reached = [period for period in periods if period <= len(scores.agreement)]
        kept = {period: scores.kept(case, self.measure, period) for period in reached}
        reached = [period for period in reached if kept[period] is not None]
        tables = {
            "fidelities": {period: scores.fidelity(self.measure, period) for period in reached},
            "kept": {period: kept[period] or 0.0 for period in reached},
        }
        if self._case.truth is not None:
            tables["scores"] = {period: scores.score(self._case, period) or 0.0 for period in reached}
        return tables


@dataclass(frozen=True)
class Moment:
    """A frame of the testing part: how far its answer agrees, and both answers."""

    shot: Shot
    place: int
    agreement: float
    plain: Any
    answer: Any


@dataclass(frozen=True)
class Tested:
    """The choice on the testing part, run as a runner runs it.

    worst: the frames that agree least. shown: the first frames, one after another. key_share: of the frames,
    that were key frames.
    """

    frames: int
    fidelity: float
    kept: float
    score: float | None
    plain_score: float | None
    worst: Sequence[Moment]
    shown: Sequence[Moment] = ()
    key_share: float = 1.0


def seen_in_the_end(
    case: Case,
    measure: Measure,
    plain: PerFrame,
    runner: OfRunner,
    *,
    most: int,
    stop: Callable[[], bool] = lambda: False,
) -> Tested:
    """Answer the shots of the testing part, each from a key frame on, until there are `most` frames."""
    scores, count, keys = Scores([[]], [[]], [[]]), 0, 0
    worst: list[Moment] = []
    shown: list[Moment] = []
    for shot in case.parts.testing:
        for place, frame in enumerate(shot.frames):
            if count >= most or (count > 1 and stop()):
                break
            answer = runner.next_one(frame) if place else runner.begin(frame)
            keys += runner.was_key
            Scorer(case, measure, plain).note(scores, 0, shot, place, answer)
            agreement = measure.total([scores.agreement[0][-1]])
            moment = Moment(shot, place, agreement, plain.begin(frame), answer)
            worst = sorted([*worst, moment], key=lambda each: each.agreement)[:_WORST]
            shown += [moment] if count < _SHOWN else []
            count += 1
    plain_score = _against(case, scores.plain_truth)
    return Tested(
        count,
        scores.fidelity(measure, 1),
        scores.fidelity(measure, 1) if (kept := scores.kept(case, measure, 1)) is None else kept,
        scores.score(case, 1),
        plain_score,
        worst,
        shown,
        keys / count,
    )
