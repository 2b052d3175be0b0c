"""The per-frame network in every engine and precision: what everything else is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from deltadistill.runtime.engine import Session


@dataclass(frozen=True)
class Baseline:
    """The fastest per-frame run at full precision, whose answers are the reference, and the fastest of all.

    session, answers: of the first. fastest, fastest_session, quickest: of the second, which keeps what is
    asked for too; factor: how much faster it is. trials: every engine and precision.
    """

    loaded: Loaded
    session: Session
    answers: PerFrame
    measure: Measure
    fastest: Name
    fastest_session: Session
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
) -> Baseline:
    """Time all of them in turns for so many seconds, and score those below full precision on sequences.

    loaded: the per-frame network. Raises ValueError where no engine runs it.
    """
    sessions = {
        (name, precision): session
        for precision in precisions
        for name, session in open_sessions(case, loaded, precision).items()
    }
    times = frame_times(sessions, case.parts.choosing[0].frames[0][None], seconds=seconds)
    best = min((name for name in times if name[1] == "fp32"), key=lambda name: times[name])
    structure = loaded.functions.structure
    answers = PerFrame(case, sessions[best], structure)
    examples = [answers.begin(shot.frames[0]) for shot in case.parts.choosing]
    scorer = Scorer(case, measure_of(examples, threshold=case.threshold), answers)
    trials = []
    for name, milliseconds in times.items():
        # At full precision all give the same answers, but for rounding.
        way = answers if name[1] == "fp32" else PerFrame(case, sessions[name], structure, keeps=False)
        trials.append(_trial(name, milliseconds, times[best], _tables(scorer, way, sequences)))
    taken = choice.choose(trials, asked=case.asked).plain.trial
    fastest = taken.engine, taken.precision
    quickest = answers if fastest == best else PerFrame(case, sessions[fastest], structure)
    return Baseline(
        loaded,
        sessions[best],
        answers,
        measure_of(examples, threshold=case.threshold),
        fastest,
        sessions[fastest],
        quickest,
        taken.speedups[1],
        trials,
    )


def _tables(scorer: Scorer, way: PerFrame, sequences: Sequence[Sample]) -> Mapping[str, Any]:
    """Of all frames of the sequences together, as period 1."""
    scores = Scores()
    for sequence in sequences:
        scorer.add(scores, way, sequence)
    tables = scorer.tables(scores, [len(scores.agreement)])
    return {name: dict.fromkeys([1], max(table.values())) for name, table in tables.items()}


def _trial(name: Name, milliseconds: float, best: float, tables: Mapping[str, Any]) -> Trial:
    engine, precision = name
    return Trial(
        f"per frame, {engine} {precision}",
        "per frame",
        engine,
        precision,
        speedups={1: best / milliseconds},
        parts_ms={"frame": milliseconds},
        **tables,
    )
