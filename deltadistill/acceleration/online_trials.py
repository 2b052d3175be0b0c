"""Online distillation as a trial: a student that learns from the per-frame network while the video runs.

It is run over stretches of the choosing part as a stream runs it, labels, updates and all in its time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from deltadistill.acceleration.adaptive import ByChange
from deltadistill.acceleration.baseline import Baseline
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.footage import Shot
from deltadistill.acceleration.scoring import Scores
from deltadistill.acceleration.trial import Trial
from deltadistill.exporting.learning_runner import LearningRunner
from deltadistill.exporting.pictures import as_frames
from deltadistill.online.label_stream import LabelStream, LabelStudent
from deltadistill.online.settings import Settings

KIND = "online"
_EVERY = 8  # frames; at each of them the per-frame network is timed too


@dataclass(frozen=True)
class Passed:
    """What came of running over stretches: times in milliseconds by frame, and what agreed.

    plain: of the per-frame network in between, beside the same work.
    """

    scores: Scores
    labelled_ms: Sequence[float]
    student_ms: Sequence[float]
    plain_ms: Sequence[float]

    @property
    def frames(self) -> int:
        """How many were answered."""
        return len(self.labelled_ms) + len(self.student_ms)

    @property
    def speedup(self) -> float:
        """Over the per-frame network."""
        return float(np.mean(self.plain_ms)) * self.frames / sum((*self.labelled_ms, *self.student_ms))


def settings_for(asked: float) -> list[Settings]:
    """What is tried: that a student passes at what is asked, and half way from there to all."""
    return [Settings(threshold=asked), Settings(threshold=(1 + asked) / 2)]


def settings_of(trial: Trial) -> Settings:
    """Those of a trial."""
    assert trial.passing is not None  # of another kind
    return Settings(threshold=trial.passing)


def stream_of(case: Case, base: Baseline, student: LabelStudent, settings: Settings) -> LabelStream:
    """A stream of the case's pictures, labelled by the fastest per-frame run, each time anew."""

    def labels(picture: np.ndarray) -> np.ndarray:
        return base.quickest.computed(picture[0])["label_map"]

    return LabelStream(
        student, labels, lambda given: as_frames(given, case.pictures), settings, threads=case.threads
    )


def passed(
    base: Baseline,
    case: Case,
    stretches: Sequence[Shot],
    stream: Callable[[np.ndarray], Any],
    *,
    ask_now: Callable[[], None],
    was_labelled: Callable[[], bool],
) -> Passed:
    """Answer stretches one after another, each from a labelled frame on, and time every frame.

    stream: answers pictures (1, h, w, 3). ask_now: has the next one labelled. was_labelled: of the last one.
    """
    scorer, scores = base.scorer(case), Scores()
    found: Mapping[bool, list[float]] = {True: [], False: []}
    plain: list[float] = []
    for stretch in stretches:
        ask_now()
        for place, frame in enumerate(stretch.frames):
            if place % _EVERY == 0:
                plain.append(_milliseconds(lambda frame=frame: base.answers.computed(frame))[0])
            took, answer = _milliseconds(lambda frame=frame: stream(frame[None]))
            found[was_labelled()].append(took)
            scorer.note(scores, 0, stretch, place, answer)
    return Passed(scores, found[True], found[False], plain)


def _milliseconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = perf_counter()
    result = work()
    return 1e3 * (perf_counter() - begun), result


def tried_online(
    case: Case, base: Baseline, student: LabelStudent, steps: int, settings: Settings, by: ByChange
) -> Trial:
    """The trial of a student that has learned for so many steps before."""
    stream = stream_of(case, base, student, settings)
    found = passed(
        base, case, by.stretches, stream, ask_now=stream.ask_now, was_labelled=lambda: stream.was_labelled
    )
    told = {name: table[1] for name, table in base.scorer(case).tables(found.scores, [1]).items() if table}
    period = max(2, round(found.frames / max(1, len(found.labelled_ms))))
    engine, precision = base.fastest
    return Trial(
        f"online, passing at {settings.threshold:.3g}",
        KIND,
        engine,
        precision,
        steps=steps,
        passing=settings.threshold,
        speedups={period: found.speedup},
        key_shares={period: len(found.labelled_ms) / found.frames},
        parts_ms=_parts(found),
        ended="" if told else "nothing is said of the frames that it was run on",
        **{name: {period: value} for name, value in told.items()},
    )


def measured(case: Case, base: Baseline, runner: LearningRunner, by: ByChange) -> float:
    """The speed-up of a written runner over the same stretches; it forgets what it learned on them."""
    found = passed(
        base, case, by.stretches, runner, ask_now=runner.refresh, was_labelled=lambda: runner.is_key_frame
    )
    runner.reset()
    return found.speedup


def _parts(found: Passed) -> dict[str, float]:
    times = {"frame": found.plain_ms, "key": found.labelled_ms, "delta": found.student_ms}
    return {name: float(np.mean(each)) for name, each in times.items() if each}
