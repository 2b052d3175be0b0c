"""From a network and a video to a runner's folder: trials within the time, the best written and tested."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deltadistill.acceleration import kept, page, tracking
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.choice import Choice, choose
from deltadistill.acceleration.course import Course
from deltadistill.acceleration.scoring import Tested, seen_in_the_end
from deltadistill.acceleration.timing import delta_times
from deltadistill.acceleration.trial import Point, Trial
from deltadistill.acceleration.ways import Delta, PerFrame
from deltadistill.exporting.export import export_loaded
from deltadistill.files import atomic
from deltadistill.runtime.engine import Session, open_session
from deltadistill.runtime.runner import graphs_in
from deltadistill.runtime.runner_file import read_description

REPORT = "report.html"
_MOST_TESTED = 600


@dataclass(frozen=True)
class Outcome:
    """What came out. speedup: of the written runner, measured once more, over the best per-frame run."""

    folder: Path
    choice: Choice
    trials: Sequence[Trial]
    speedup: float
    tested: Tested
    measure: str
    seconds: float
    was_interrupted: bool
    notes: Sequence[str] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        winner = self.choice.winner
        return {
            "runner": str(self.folder),
            "report": str(self.folder / REPORT),
            "is_faster": self.choice.is_faster,
            "choice": told(self.choice.taken),
            "speedup": self.speedup,
            "measure": self.measure,
            "tested": {
                "frames": self.tested.frames,
                "fidelity": self.tested.fidelity,
                "kept": self.tested.kept,
                "score": self.tested.score,
                "per_frame_score": self.tested.plain_score,
            },
            "winner_that_is_no_runner": told(winner) if winner else None,
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
        course.trials, course.students = list(earlier[0]), dict(earlier[1])
        tell(f"{folder}: going on from {len(course.trials)} trials")
    with course:
        was_interrupted = _ran(course)
        outcome = _written(course, folder, was_interrupted, beside or {})
    kept.keep(folder, question, course.trials, course.students)
    tracking.log(case, outcome)
    with atomic.file(folder / REPORT) as unfinished:
        unfinished.write_text(page.page(case, outcome, command=command(outcome)), encoding="utf-8")
    return outcome


def _ran(course: Course) -> bool:
    """Try what there is; whether that was interrupted."""
    try:
        course.run()
    except BaseException as error:
        if isinstance(error, Exception) or not course.trials or course.base is None:
            raise
        course.tell("interrupted: the best so far is written")
        return True
    return False


def _written(course: Course, folder: Path, was_interrupted: bool, beside: Mapping[str, str]) -> Outcome:
    """Export what was chosen; where it proves slower once it is written, the per-frame network instead."""
    case = course.case
    choice = choose(course.trials, asked=case.asked)
    if choice.is_faster:
        course.tell(f"writing {choice.taken.trial.name}")
        session = _exported(course, choice.taken, folder, beside)
        speedup = _measured(course, session, choice.taken)
        if speedup <= choice.plain.speedup:
            course.tell(
                f"it takes ×{speedup:.2f} of the per-frame network's speed now: that is written instead"
            )
            choice = Choice(choice.plain, choice.plain, choice.winner)
    if not choice.is_faster:
        session, speedup = _exported(course, choice.plain, folder, beside), choice.plain.speedup
    structure = read_description(folder).structure
    way = (Delta if choice.is_faster else PerFrame)(case, session, structure)
    course.tell("testing on the last part of the video")
    outcome = seen_in_the_end(
        case,
        course.known().measure,
        course.known().answers,
        way,
        period=choice.taken.period,
        most=_MOST_TESTED,
        stop=lambda: course.budget.now() > course.budget.seconds,
    )
    return Outcome(
        folder, choice, course.trials, speedup, outcome, course.known().measure.name, course.budget.now(),
        was_interrupted, tuple(case.notes),
    )  # fmt: skip


def _exported(course: Course, point: Point, folder: Path, beside: Mapping[str, str]) -> Session:
    case, loaded = course.case, course.graphs_of(point.trial)
    export_loaded(loaded, folder, period=point.period, pictures=case.pictures)
    for name, text in beside.items():
        (folder / name).write_text(text, encoding="utf-8")
    graphs = graphs_in(folder, read_description(folder))
    options = {"threads": case.threads, "precision": point.trial.precision, "device": case.device}
    return open_session(graphs, point.trial.engine, **options)


def _measured(course: Course, session: Session, point: Point) -> float:
    """The speed-up of the written runner at its period."""
    name = point.trial.engine, point.trial.precision
    frames = course.case.two_frames()
    _, speedups, _ = delta_times(
        course.known().session, {name: session}, frames, [point.period], seconds=course.seconds_of_times()
    )
    return speedups[point.period]
