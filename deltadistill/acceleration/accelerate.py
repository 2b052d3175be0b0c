"""From a network and a video to a runner's folder: trials within the time, the best written and tested."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from deltadistill.acceleration import kept, online_student, online_trials, page, tracking
from deltadistill.acceleration.adaptive import longest, usual
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.choice import Choice, choose
from deltadistill.acceleration.course import Course
from deltadistill.acceleration.scoring import Tested, seen_in_the_end
from deltadistill.acceleration.sessions import NoEngineError
from deltadistill.acceleration.stillness import Stillness
from deltadistill.acceleration.timing import ImpossibleSpeedError, runner_speedup
from deltadistill.acceleration.trial import Point, Trial
from deltadistill.acceleration.ways import OfRunner
from deltadistill.blocks.schedules import Adaptive
from deltadistill.exporting.export import export_loaded
from deltadistill.exporting.learning_runner import LearningRunner, write_learner
from deltadistill.files import atomic
from deltadistill.runtime.runner import Runner
from deltadistill.video.decoders import by_form
from deltadistill.video.registry import DECODERS

REPORT = "report.html"
_MOST_TESTED = 600
_OF_FORM = {"boxes": "boxes", "label_map": "labels", "map": "map", "tensors": "tensors"}


@dataclass(frozen=True)
class Outcome:
    """What came out.

    speedup: of the written runner, measured once more, over the best per-frame run. still: how far one answer
    does for all frames. warnings: what makes the figures doubtful, in words. ended_by: the interruption that
    ended the trials; None where none did.
    """

    folder: Path
    choice: Choice
    trials: Sequence[Trial]
    speedup: float
    tested: Tested
    measure: str
    seconds: float
    ended_by: BaseException | None = None
    notes: Sequence[str] = field(default_factory=tuple)
    still: Stillness | None = None
    warnings: Sequence[str] = field(default_factory=tuple)

    @property
    def was_interrupted(self) -> bool:
        """Whether an interruption ended the trials; what there was is written all the same."""
        return self.ended_by is not None

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "runner": str(self.folder),
            "report": str(self.folder / REPORT),
            "is_faster": self.choice.is_faster,
            "choice": told(self.choice.taken),
            "speedup": self.speedup,
            "speedup_over_fastest_per_frame": self.speedup / self.choice.plain.speedup,
            "measure": self.measure,
            "tested": {
                "frames": self.tested.frames,
                "fidelity": self.tested.fidelity,
                "kept": self.tested.kept,
                "key_share": self.tested.key_share,
                "score": self.tested.score,
                "per_frame_score": self.tested.plain_score,
            },
            "one_answer_for_all_frames": None if self.still is None else self.still.kept,
            "warnings": list(self.warnings),
            "seconds": self.seconds,
            "interrupted": self.was_interrupted,
            "trials": [trial.as_json() for trial in self.trials],
            "notes": list(self.notes),
        }


def told(point: Point) -> dict[str, Any]:
    """A point as plain values."""
    trial = point.trial
    return {
        "name": trial.name,
        "kind": trial.kind,
        "engine": trial.engine,
        "precision": trial.precision,
        "period": point.period,
        "threshold": point.threshold,
        "key_share": point.key_share,
        "between": trial.between.model_dump(),
        "speedup": point.speedup,
        "fidelity": point.fidelity,
        "kept": point.kept,
    }


def accelerate(
    case: Case,
    folder: str | Path,
    *,
    minutes: float = 15.0,
    budget: Budget | None = None,
    tell: Callable[[str], None] = lambda text: None,
    beside: Mapping[str, str] | None = None,
    command: Callable[[Outcome], str] = lambda outcome: "",
) -> Outcome:
    """Try, choose, write a runner's folder with its page, and test it on the part that nothing has seen.

    folder: replaced, but for trials of an earlier call about the same network and video, which are gone on
    with. budget: the time, where not `minutes` from now. beside: small text files to write into the folder.
    command: gives the line that runs the runner, for the page.
    An interruption ends the trials; what there is is written, and the outcome says so. Before the per-frame
    network has been measured there is nothing to write: it passes through then. Raises ValueError where no
    engine runs the network, ExportError where it has no graph.
    """
    folder, budget = Path(folder).expanduser(), budget or Budget(60 * minutes)
    question = kept.question_of(case)
    course = Course(case, budget, tell)
    if earlier := kept.recall(folder, question):
        course.trials, course.networks.students = list(earlier[0]), dict(earlier[1])
        tell(f"{folder}: going on from {len(course.trials)} trials")
    with course:
        ended_by = _ran(course)
        outcome = _written(course, folder, ended_by, beside or {})
    kept.keep(folder, question, course.trials, course.networks.students)
    tracking.log(case, outcome)
    with atomic.file(folder / REPORT) as unfinished:
        unfinished.write_text(page.page(case, outcome, command=command(outcome)), encoding="utf-8")
    return outcome


def _ran(course: Course) -> BaseException | None:
    """Try what there is; the interruption that ended it, if one did."""
    try:
        course.run()
    except BaseException as error:
        if isinstance(error, Exception) or not course.trials or course.base is None:
            raise
        course.tell("interrupted: the best so far is written")
        return error
    return None


def _written(
    course: Course, folder: Path, ended_by: BaseException | None, beside: Mapping[str, str]
) -> Outcome:
    """Export what was chosen, and test it."""
    case = course.case
    choice, runner, speedup = _runner(course, folder, beside)
    course.tell("testing on the last part of the video")
    outcome = seen_in_the_end(
        case,
        course.known().measure,
        course.known().answers,
        OfRunner(runner),
        most=_MOST_TESTED,
        stop=lambda: course.budget.now() > course.budget.seconds,
    )
    return Outcome(
        folder, choice, course.trials, speedup, outcome, course.known().measure.name, course.budget.now(),
        ended_by, tuple(case.notes), course.still, tuple(course.warnings()),
    )  # fmt: skip


def _runner(
    course: Course, folder: Path, beside: Mapping[str, str]
) -> tuple[Choice, Runner | LearningRunner, float]:
    """The choice, written, and its speed-up; the per-frame network where that proves slower now, or fails."""
    choice = choose(course.trials, asked=course.case.asked)
    if choice.is_faster:
        try:
            runner = _exported(course, choice.taken, folder, beside)
            speedup = _measured(course, runner, choice.taken)
        except (NoEngineError, ImpossibleSpeedError) as error:
            course.tell(f"the per-frame network is written instead: {error}")
        else:
            if speedup > choice.plain.speedup:
                return choice, runner, speedup
            course.tell(f"it has ×{speedup:.2f} of the per-frame network's speed: that is written instead")
    plain = choice.plain
    return Choice(plain, plain), _exported(course, plain, folder, beside), plain.speedup


def _exported(
    course: Course, point: Point, folder: Path, beside: Mapping[str, str]
) -> Runner | LearningRunner:
    """Write a runner, and open it as it was tried."""
    course.tell(f"writing {point.trial.name}")
    case, loaded, between = course.case, course.graphs_of(point.trial), point.trial.between
    if between.kind == "moved":
        between = between.model_copy(update={"decoder": _decoder(course)})
    schedule = None if point.threshold is None else Adaptive(point.threshold, longest=longest(case))
    period = 1 if point.trial.passing is not None else point.period
    options = {"period": period, "schedule": schedule, "between": between}
    export_loaded(loaded, folder, pictures=case.pictures, **options)
    for name, text in beside.items():
        (folder / name).write_text(text, encoding="utf-8")
    how = {"threads": case.threads, "precision": point.trial.precision, "device": case.device}
    if point.trial.passing is not None:
        student = online_student.student_of(case, course.known())
        student.load_state_dict(course.networks.students[online_trials.KIND])
        write_learner(folder, student, online_trials.settings_of(point.trial))
        return LearningRunner(folder, engine=point.trial.engine, decode=case.decode, **how)
    return Runner(folder, engine=point.trial.engine, decode=case.decode, **how)


def _decoder(course: Course) -> str | None:
    """The name of the decoder whose answers are moved; None for one that is not of this library."""
    case = course.case
    if case.decode is by_form:
        answer = course.known().answers.begin(case.some_frames()[0])
        return next(name for form, name in _OF_FORM.items() if form in answer)
    return next((name for name in DECODERS if DECODERS.find(name) is case.decode), None)


def _measured(course: Course, runner: Runner | LearningRunner, point: Point) -> float:
    """The speed-up of the written runner, over a part of the choosing part that is as usual."""
    if isinstance(runner, LearningRunner):
        return online_trials.measured(course.case, course.known(), runner, course.stretches())
    frames = [frame[None] for frame in usual(course.case, point)]

    def answered(part: Sequence[np.ndarray]) -> int:
        """Answer frames from a key frame on; how many of them were key frames."""
        runner.refresh()
        keys = 0
        for frame in part:
            runner(frame)
            keys += runner.is_key_frame
        return keys

    plain = partial(course.known().answers.computed, frames[0][0])
    seconds = course.seconds_of_times()
    first, whole = partial(answered, frames[:1]), partial(answered, frames)
    return runner_speedup(plain, first, whole, len(frames), keys=whole(), seconds=seconds)
