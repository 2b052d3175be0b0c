"""The course of an acceleration, within the time: what is cheap, then delta networks, then distillation."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from deltadistill.acceleration import choice, designs
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.designs import DESIGNS, Design
from deltadistill.acceleration.fidelity import Measure, measure_of
from deltadistill.acceleration.footage import Sample, samples
from deltadistill.acceleration.learning import distilled
from deltadistill.acceleration.moving import can_move
from deltadistill.acceleration.scoring import Scorer, Scores
from deltadistill.acceleration.sessions import Opened, open_sessions
from deltadistill.acceleration.timing import delta_times, frame_times, moving_times
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.ways import Copied, Delta, Moved, PerFrame, Way
from deltadistill.exporting.running import load
from deltadistill.runtime.engine import PRECISIONS

_log = logging.getLogger(__name__)

SAMPLES = 12  # sequences of the choosing part
_FEW = 3  # after so many, a trial that leads nowhere is ended
_SECONDS = 4.0  # that times are measured for, where there is time
_FAR, _NEAR = 0.3, 0.1  # below what is asked: a few sequences show it, distillation may still mend it
_CLIPS, _STEPS = 12, (0, 2, 6)  # that students start from
_LOADS = 4.0  # a design takes about so many times as long as the plain network's graphs, before one is known

Tell = Callable[[str], None]


@dataclass
class Course:
    """The state of an acceleration: trials so far, and what the next ones need.

    trials: in the order in which they were tried. students: trained ones by the key of their design.
    """

    case: Case
    budget: Budget
    tell: Tell
    trials: list[Trial] = field(default_factory=list)
    students: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    plain: Opened | None = None
    answers: PerFrame | None = None
    measure: Measure | None = None
    _of_design: float = 0.0

    def run(self) -> None:
        """Try everything there is time for; an interruption leaves what there is."""
        self.begin()
        self._rivals()
        for design in DESIGNS:
            if not self._tried("delta", design.key):
                self._design(design)
        while self._distillation():
            pass

    def begin(self) -> None:
        """The per-frame network in every engine and precision; without it nothing can be said."""
        begun = self.budget.now()
        loaded = load(self.case.network, self.case.example(), pictures=self.case.pictures)
        self._of_design = _LOADS * (self.budget.now() - begun)
        sessions = {
            (name, precision): session
            for precision in PRECISIONS
            for name, session in open_sessions(self.case, loaded, precision).items()
        }
        frame = self.case.parts.choosing[0].frames[0][None]
        times = frame_times(sessions, frame, seconds=self.seconds_of_times())
        best = min((key for key in times if key[1] == "fp32"), key=lambda key: times[key])
        self.plain = Opened(best[0], loaded, sessions[best])
        structure = loaded.functions.structure
        self.answers = PerFrame(self.case, self.plain.session, structure)
        first = [self.answers.begin(shot.frames[0]) for shot in self.case.parts.choosing]
        self.measure = measure_of(first, threshold=self.case.threshold)
        known = [trial for trial in self.trials if trial.kind != "per frame"]
        self.trials = []
        for key, milliseconds in times.items():
            self._per_frame(
                key, milliseconds, times[best], PerFrame(self.case, sessions[key], structure, keeps=False)
            )
        self.trials += known
        self.budget.reserve = self._ending()

    def _per_frame(self, key: tuple[str, str], milliseconds: float, best: float, way: Way) -> None:
        """One engine and precision; at full precision all give the same answers, but for rounding."""
        engine, precision = key
        scores, scorer = Scores(), self._scorer()
        few = self._samples()[:_FEW] if precision != "fp32" else self._samples()[:1]
        for sample in few:
            scorer.add(scores, way if precision != "fp32" else self._plain_way(), sample)
        tables = {
            name: {1: table[max(table)]}
            for name, table in scorer.tables(scores, range(1, len(scores.agreement) + 1)).items()
        }
        self._note(
            Trial(
                f"per frame, {engine} {precision}", "per frame", engine, precision,
                speedups={1: best / milliseconds}, parts_ms={"frame": milliseconds}, **tables,
            )
        )  # fmt: skip

    def _rivals(self) -> None:
        """The key frame's answer copied, and moved."""
        if not self._tried("copied"):
            with self._timed() as done:
                scores = self._scored(Copied(self._plain_way()), None)
                speedups = {period: float(period) for period in self.case.periods}
                done(
                    Trial("copied", "copied", self._plain().engine, speedups=speedups, **self._tables(scores))
                )
        if not self._tried("moved") and can_move(self._plain_way().begin(self.first_frames()[0][0])):
            with self._timed() as done:
                done(self._moved())

    def _moved(self) -> Trial:
        way, (first, second) = Moved(self._plain_way()), self.first_frames()
        way.begin(first[0])
        speedups, parts = moving_times(
            self._plain().session,
            first,
            lambda: way.next_one(second[0]),
            self.case.periods,
            seconds=self.seconds_of_times() / 2,
        )
        scores = self._scored(way, None)
        trial = Trial("moved by flow", "moved", self._plain().engine, speedups=speedups, parts_ms=parts)
        return replace(trial, **self._tables(scores))

    def _design(self, design: Design) -> None:
        """A design of students that start from data; what it took is what the next one is expected to."""
        if not self.budget.allows(self._of_design):
            return
        begun = self.budget.now()
        with self._timed() as done:
            try:
                network = self.network_of(design)
            except ValueError as error:
                done(Trial(f"delta, {design}", "delta", design=design.key, ended=str(error)))
                return
            done(self._delta_trial(network, design, 0))
        self._of_design = self.budget.now() - begun

    def network_of(self, design: Design) -> nn.Module:
        """A delta network of the design, with the students that were trained where there are any."""
        torch.manual_seed(self.case.seed)
        clips = self.case.clips(most=_CLIPS, steps=_STEPS).stacked()
        network = designs.made(self.case.network, design, clips)
        if trained := self.students.get(design.key):
            network.load_state_dict(trained, strict=False)
        return network

    def _delta_trial(self, network: nn.Module, design: Design, steps: int) -> Trial:
        learned = f", {steps} steps of distillation" if steps else ""
        trial = Trial(f"delta, {design}{learned}", "delta", design=design.key, steps=steps)
        with load(network, self.case.example(), pictures=self.case.pictures) as loaded:
            sessions = open_sessions(self.case, loaded, "fp32")
            engine, speedups, parts = delta_times(
                self._plain().session,
                sessions,
                self.first_frames(),
                self.case.periods,
                seconds=self.seconds_of_times(),
            )
            trial = replace(trial, engine=engine, speedups=speedups, parts_ms=parts)
            if max(speedups.values()) <= 1:
                return replace(trial, ended="no period is faster than per frame")
            way = Delta(self.case, sessions[engine], loaded.functions.structure)
            scores = self._scored(way, trial)
        ended = (
            "others are faster and more faithful"
            if len(scores.agreement[0]) <= _FEW < len(self._samples())
            else ""
        )
        return replace(trial, ended=ended, **self._tables(scores))

    def _distillation(self) -> bool:
        """Train the students of the likeliest design for the time left; whether it is worth going on."""
        before = self._likeliest()
        if before is None or not self.budget.allows(2 * self._of_design):
            return False
        design = designs.by_key(before.design)
        with self._timed() as done:
            network = self.network_of(design)
            seconds = self.budget.left() - 1.2 * self._of_design
            steps, students = distilled(
                self.case, network, seconds=seconds, clock=self.budget.now, tell=self.tell
            )
            if not steps:
                return False
            trial = self._delta_trial(network, design, before.steps + steps)
            done(trial)
            if _gain(trial, before) > 0:
                self.students[design.key] = students
            else:
                self.trials[-1] = replace(
                    trial, design=f"{design.key} (given up)", ended="no better than before"
                )
        return _gain(trial, before) > _WORTH

    def _likeliest(self) -> Trial | None:
        """The latest delta trial that is fastest where it keeps nearly what is asked."""
        latest = {trial.design: trial for trial in self.trials if trial.kind == "delta" and trial.fidelities}
        usable = {key: trial for key, trial in latest.items() if key in _KEYS}
        for within in (0.02, 0.05, _NEAR, _FAR):
            points = [point for trial in usable.values() for point in trial.points()]
            found = choice.fastest(points, self.case.asked - within)
            if found is not None and found.speedup > 1:
                return found.trial
        return None

    def _scored(self, way: Way, timed: Trial | None) -> Scores:
        """Answer sequences of the choosing part; a delta trial that leads nowhere is ended after a few."""
        scores, scorer = Scores(), self._scorer()
        for number, sample in enumerate(self._samples(), 1):
            if number > _FEW and self.budget.left() < 0:
                break
            scorer.add(scores, way, sample)
            if timed is not None and number == _FEW:
                trial = replace(timed, **scorer.tables(scores, self.case.periods))
                hopeless = choice.is_hopeless(trial, asked=self.case.asked, within=_FAR)
                if hopeless or choice.is_dominated(trial, self.trials):
                    break
        return scores

    def _tables(self, scores: Scores) -> dict[str, dict[int, float]]:
        return self._scorer().tables(scores, self.case.periods)

    def _samples(self) -> list[Sample]:
        return samples(self.case.parts.choosing, longest=self.case.longest, most=SAMPLES)

    def _scorer(self) -> Scorer:
        assert self.measure is not None
        return Scorer(self.case, self.measure, self._plain_way())

    def _plain_way(self) -> PerFrame:
        assert self.answers is not None
        return self.answers

    def _plain(self) -> Opened:
        assert self.plain is not None
        return self.plain

    def first_frames(self) -> Sequence[Any]:
        """Two pictures of the choosing part as sessions take them, uint8 (1, h, w, 3)."""
        frames = self.case.parts.choosing[0].frames
        return [frames[0][None], frames[min(3, len(frames) - 1)][None]]

    def seconds_of_times(self) -> float:
        """For times of one trial: less where there is little time at all."""
        return min(_SECONDS, self.budget.seconds / 40)

    def _ending(self) -> float:
        """Seconds for the export and the test at the end."""
        return min(0.3 * self.budget.seconds, self._of_design)

    def _tried(self, kind: str, design: str = "") -> bool:
        return any(trial.kind == kind and trial.design == design for trial in self.trials)

    @contextmanager
    def _timed(self) -> Iterator[Callable[[Trial], None]]:
        """Notes a trial with the seconds that it took."""
        begun = self.budget.now()
        yield lambda trial: self._note(replace(trial, seconds=self.budget.now() - begun))

    def _note(self, trial: Trial) -> None:
        self.trials.append(trial)
        self.tell(f"{trial.name}: {_told(trial, self.case.asked)}")


_KEYS = {design.key for design in DESIGNS}
_WORTH = 0.002  # of fidelity: a distillation that gave less is not gone on with


def _gain(trial: Trial, before: Trial) -> float:
    """How much more a trial keeps, over the periods of both."""
    both = [period for period in trial.kept if period in before.kept]
    return sum(trial.kept[period] - before.kept[period] for period in both) / max(1, len(both))


def _told(trial: Trial, asked: float) -> str:
    """The fastest point that keeps what is asked, or the one that keeps most."""
    points = list(trial.points())
    if not points:
        return trial.ended or "not measured"
    best = choice.fastest(points, asked) or max(points, key=lambda point: point.kept)
    every = f" at period {best.period}" if best.period > 1 else ""
    return (
        f"×{best.speedup:.2f}{every}, keeps {best.kept:.3f}{' (' + trial.ended + ')' if trial.ended else ''}"
    )
