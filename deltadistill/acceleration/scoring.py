"""Fidelity of a way by period: sequences are answered once, and frames up to each distance are counted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from typing import Any

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.fidelity import Measure
from deltadistill.acceleration.footage import Sample, Shot
from deltadistill.acceleration.lower_end import lower_end, pieces_of
from deltadistill.acceleration.ways import OfRunner, PerFrame, Way

_WORST, _SHOWN = 3, 50  # frames: the worst, and those that are shown as a video


@dataclass(frozen=True)
class Record:
    """What one answer adds: to the agreement with the per-frame network, and to the score against the truth.

    piece: of the video, that its frame is in. plain_truth: of the per-frame network's own answer; None, as
    `truth`, where there is no truth of the frame.
    """

    piece: int
    agreement: Any
    truth: Any = None
    plain_truth: Any = None


@dataclass
class Scores:
    """Records by distance from the key frame."""

    by_distance: list[list[Record]] = field(default_factory=list)

    def with_others(self, others: "Scores", most: int) -> "Scores":
        """Of the frames nearer than `most` to their key frames, with those of others."""
        both = zip_longest(self.by_distance[:most], others.by_distance[:most], fillvalue=())
        return Scores([[*first, *second] for first, second in both])

    def of(self, period: int) -> list[Record]:
        """Of all frames nearer to their key frame than the period."""
        return [record for records in self.by_distance[:period] for record in records]

    def fidelity(self, measure: Measure, period: int) -> float:
        """Of all frames nearer to their key frame than the period."""
        return measure.total([record.agreement for record in self.of(period)])

    def score(self, case: Case, period: int) -> float | None:
        """Against the truth, where there is one."""
        return _against(case, [record.truth for record in _with_truth(self.of(period))])

    def plain_score(self, case: Case, period: int) -> float | None:
        """The per-frame network's own on the same frames, where there is truth."""
        return _against(case, [record.plain_truth for record in _with_truth(self.of(period))])

    def kept(self, case: Case, measure: Measure, period: int) -> float | None:
        """What is compared with the fidelity asked for; None where there is truth, and of none of the frames.

        With truth the share of the per-frame network's own score on the same frames, else the fidelity.
        """
        counted = _counted(case, self.of(period))
        return _kept(case, measure, counted) if counted else None

    def lower(self, case: Case, measure: Measure, period: int) -> float:
        """The lower end of what is kept, by pieces of the video (lower_end.py)."""
        pieces: dict[int, list[Record]] = {}
        for record in _counted(case, self.of(period)):
            pieces.setdefault(record.piece, []).append(record)
        return lower_end(partial(_kept, case, measure), pieces)


def _with_truth(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.truth is not None]


def _counted(case: Case, records: Sequence[Record]) -> Sequence[Record]:
    """Those that what is kept is of."""
    return records if case.truth is None else _with_truth(records)


def _kept(case: Case, measure: Measure, records: Sequence[Record]) -> float:
    if case.truth is None:
        return measure.total([record.agreement for record in records])
    plain = _against(case, [record.plain_truth for record in records])
    return (_against(case, [record.truth for record in records]) or 0.0) / plain if plain else 1.0


def _against(case: Case, records: Sequence[Any]) -> float | None:
    return case.truth.total(records) if case.truth is not None and records else None


class Scorer:
    """Answers sequences by a way and compares, adding to `scores`."""

    def __init__(self, case: Case, measure: Measure, plain: PerFrame):
        self._case, self.measure, self._plain = case, measure, plain
        self._pieces = pieces_of(case.parts.choosing) | pieces_of(case.parts.testing)

    def add(self, scores: Scores, way: Way, sample: Sample, *, most: int | None = None) -> None:
        """Answer one sequence, of `most` frames at most, by default as long as the longest period."""
        frames = sample.frames(self._case.longest if most is None else most)
        for distance, frame in enumerate(frames):
            answer = way.next_one(frame) if distance else way.begin(frame)
            self.note(scores, distance, sample.shot, sample.start + distance, answer)

    def note(self, scores: Scores, distance: int, shot: Shot, place: int, answer: Any) -> None:
        """Take down an answer to the frame at a place of a shot, as one so far from its key frame."""
        frame, number = shot.frames[place], shot.numbers[place]
        if len(scores.by_distance) == distance:
            scores.by_distance.append([])
        reference = self._plain.begin(frame)
        truth, size = self._case.truth, self._case.pictures.size
        both: Sequence[Any] = ()
        if truth is not None and truth.covers(number):
            both = [truth.record(shot, number, each, size) for each in (answer, reference)]
        agreement = self.measure.record(reference, answer)
        scores.by_distance[distance].append(Record(self._pieces[shot.video, number], agreement, *both))

    def tables(self, scores: Scores, periods: Sequence[int]) -> dict[str, dict[int, float]]:
        """The tables of a trial, for periods that sequences were long enough for, and truth was there for."""
        case = self._case
        reached = [period for period in periods if period <= len(scores.by_distance)]
        kept = {period: scores.kept(case, self.measure, period) for period in reached}
        reached = [period for period in reached if kept[period] is not None]
        tables = {
            "fidelities": {period: scores.fidelity(self.measure, period) for period in reached},
            "kept": {period: kept[period] or 0.0 for period in reached},
            "lower": {period: scores.lower(case, self.measure, period) for period in reached},
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

    lower: the lower end of what is kept there. worst: the frames that agree least. shown: the first frames,
    one after another. key_share: of the frames, that were key frames.
    """

    frames: int
    fidelity: float
    kept: float
    lower: float
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
    scores, scorer, count, keys = Scores(), Scorer(case, measure, plain), 0, 0
    worst: list[Moment] = []
    shown: list[Moment] = []
    for shot in case.parts.testing:
        for place, frame in enumerate(shot.frames):
            if count >= most or (count > 1 and stop()):
                break
            answer = runner.next_one(frame) if place else runner.begin(frame)
            keys += runner.was_key
            scorer.note(scores, 0, shot, place, answer)
            agreement = measure.total([scores.by_distance[0][-1].agreement])
            moment = Moment(shot, place, agreement, plain.begin(frame), answer)
            worst = sorted([*worst, moment], key=lambda each: each.agreement)[:_WORST]
            shown += [moment] if count < _SHOWN else []
            count += 1
    return Tested(
        count,
        scores.fidelity(measure, 1),
        scores.fidelity(measure, 1) if (kept := scores.kept(case, measure, 1)) is None else kept,
        scores.lower(case, measure, 1),
        scores.score(case, 1),
        scores.plain_score(case, 1),
        worst,
        shown,
        keys / count,
    )
