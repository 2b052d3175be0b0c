"""The per-frame network in every engine and precision: what everything else is compared with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from deltadistill.acceleration import choice
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.fidelity import Measure, measure_of
from deltadistill.acceleration.footage import Sample
from deltadistill.acceleration.scoring import Scorer, Scores
from deltadistill.acceleration.sessions import open_sessions
from deltadistill.acceleration.timing import Name, frame_times
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.ways import PerFrame
from deltadistill.exporting.running import Loaded


@dataclass(frozen=True)
class Baseline:
    """The fastest per-frame run at full precision, whose answers are the reference, and the fastest of all.

    answers: of the first. fastest, quickest: name and answers of the second, which keeps what is asked for
    too; factor: how much faster it is. trials: every engine and precision.
    """

    loaded: Loaded
    answers: PerFrame
    measure: Measure
    fastest: Name
    quickest: PerFrame
    factor: float
    trials: Sequence[Trial]

    def scorer(self, case: Case) -> Scorer:
        """What compares ways with the reference."""
        return Scorer(case, self.measure, self.answers)


def baseline(
    case: Case,
    loaded: Loaded,
    *,
    precisions: Sequence[str],
    sequences: Sequence[Sample],
    seconds: float,
    opening_seconds: float,
) -> Baseline:
    """Time all of them in turns for so many seconds, and score those below full precision on sequences.

    loaded: the per-frame network. opening_seconds: for each to open it and answer, in a process of its own.
    Raises ValueError where no engine runs it.
    """
    opened = open_sessions(case, loaded, precisions, functions=("frame",), seconds=opening_seconds)
    structure, frame = loaded.functions.structure, case.parts.choosing[0].frames[0]
    ways = {name: PerFrame(case, session, structure) for name, session in opened.sessions.items()}
    times = frame_times({name: partial(way.computed, frame) for name, way in ways.items()}, seconds=seconds)
    best = min((name for name in times if name[1] == "fp32"), key=lambda name: times[name])
    answers = ways[best]
    examples = [answers.begin(shot.frames[0]) for shot in case.parts.choosing]
    scorer = Scorer(case, measure_of(examples, threshold=case.threshold), answers)
    trials = []
    for name, milliseconds in times.items():
        # At full precision all give the same answers, but for rounding.
        way = answers if name[1] == "fp32" else ways[name]
        trials.append(_trial(name, milliseconds, times[best], _tables(case, scorer, way, sequences)))
    taken = choice.choose(trials, asked=case.asked).plain.trial
    fastest = taken.engine, taken.precision
    return Baseline(
        loaded,
        answers,
        scorer.measure,
        fastest,
        ways[fastest],
        taken.speedups[1],
        [*trials, *(_named(name, ended=why) for name, why in opened.failed.items())],
    )


def _tables(case: Case, scorer: Scorer, way: PerFrame, sequences: Sequence[Sample]) -> Mapping[str, Any]:
    """Of all frames of the sequences together, as period 1."""
    scores = Scores()
    for sequence in sequences:
        scorer.add(scores, way, sequence)
    tables = scorer.tables(scores, [len(scores.by_distance)])
    if not tables["kept"]:
        raise ValueError(
            f"{case.truth.name if case.truth else ''} says nothing of the frames that ways are compared on, "
            f"{', '.join(_numbers(sequences))}; its frames count from 0"
        )
    return {name: dict.fromkeys([1], max(table.values())) for name, table in tables.items()}


def _numbers(sequences: Sequence[Sample]) -> Iterator[str]:
    for sequence in sequences:
        numbers = sequence.numbers(len(sequence.shot))
        yield f"{numbers[0]} to {numbers[-1]}"


def _trial(name: Name, milliseconds: float, best: float, tables: Mapping[str, Any]) -> Trial:
    return _named(name, speedups={1: best / milliseconds}, parts_ms={"frame": milliseconds}, **tables)


def _named(name: Name, **found: Any) -> Trial:
    engine, precision = name
    return Trial(f"per frame, {engine} {precision}", "per frame", engine, precision, **found)
