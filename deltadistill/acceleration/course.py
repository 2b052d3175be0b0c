"""The course of an acceleration, within the time: what is cheap, then delta networks, then distillation."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from deltadistill.acceleration import choice, designs
from deltadistill.acceleration.baseline import Baseline, baseline
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.designs import DESIGNS, Design
from deltadistill.acceleration.judging import FAR, FEW, Judge, sequences_of
from deltadistill.acceleration.learning import distilled, students_of
from deltadistill.acceleration.rivals import copied, moved
from deltadistill.acceleration.sessions import open_sessions
from deltadistill.acceleration.timing import delta_times
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.ways import Delta
from deltadistill.acceleration.words import gain, told
from deltadistill.exporting.running import Loaded, load

PRECISIONS = ("fp32", "bf16")  # graphs in 8 bits are calibrated, which is for dd.export
_SECONDS = 4.0  # that times are measured for, where there is time
_NEAR = 0.1  # below what is asked: distillation may mend it
_CLIPS, _STEPS = 12, (0, 2, 6)  # that students start from
_FOR_DESIGNS = 0.3  # of the time, before distillation begins
_WITH_A_TRIAL = 1.5  # of what a trial takes: a distillation needs a trial afterwards, and some time
_LOADS = 4.0  # a design takes about so many times as long as the plain network's graphs, before one is known

Tell = Callable[[str], None]


@dataclass
class Course:
    """The state of an acceleration: trials so far, and what the next ones need.

    trials: in the order in which they were tried. students: of delta networks, by `students_key`.
    best: the delta trial of this call that is best so far, and its graphs.
    """

    case: Case
    budget: Budget
    tell: Tell
    trials: list[Trial] = field(default_factory=list)
    students: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    base: Baseline | None = None
    best: tuple[Trial, Loaded] | None = None
    _of_design: float = 0.0
    _of_trial: float = 0.0

    def __enter__(self) -> "Course":
        return self

    def __exit__(self, *error: object) -> None:
        for loaded in (self.base and self.base.loaded, self.best and self.best[1]):
            if loaded:
                loaded.__exit__()

    def run(self) -> None:
        """Try everything there is time for; an interruption leaves what there is."""
        self.begin()
        self._rivals()
        self._designs(_FOR_DESIGNS * self.budget.seconds)
        while self._distillation():
            pass
        self._designs(self.budget.seconds)

    def _designs(self, until: float) -> None:
        """Begin designs that were not tried yet, until so many seconds have passed; one in any case."""
        for design in DESIGNS:
            is_first = not any(trial.kind == "delta" for trial in self.trials)
            if not self._tried("delta", design.key) and (is_first or self.budget.now() < until):
                self._design(design)

    def begin(self) -> None:
        """The per-frame network in every engine and precision; without it nothing can be said."""
        begun = self.budget.now()
        loaded = load(self.case.network, self.case.example(), pictures=self.case.pictures)
        self._of_trial = self._of_design = _LOADS * (self.budget.now() - begun)
        try:
            self.base = baseline(
                self.case,
                loaded,
                precisions=self.case.precisions or PRECISIONS,
                sequences=sequences_of(self.case)[:FEW],
                seconds=self.seconds_of_times(),
            )
        except BaseException:
            loaded.__exit__()
            raise
        earlier, self.trials = self.trials, []
        for trial in self.base.trials:
            self._note(trial)
        for precision in set(self.case.precisions) - {trial.precision for trial in self.base.trials}:
            self.tell(f"no engine here computes in {precision}")
        self.trials += [trial for trial in earlier if trial.kind != "per frame"]
        self.budget.reserve = self._ending()

    def _rivals(self) -> None:
        """What needs no students."""
        if not self._tried("copied"):
            with self._timed() as done:
                done(copied(self._judge()))
        if not self._tried("moved"):
            with self._timed() as done:
                if trial := moved(self._judge(), seconds=self.seconds_of_times() / 2):
                    done(trial)

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
        self.budget.reserve = self._ending()

    def network_of(self, design: Design, steps: int = 0) -> nn.Module:
        """A delta network of the design, with the students of so many steps of distillation."""
        torch.manual_seed(self.case.seed)
        key, clips = students_key(design.key, steps), self.case.clips(most=_CLIPS, steps=_STEPS).stacked()
        network = designs.made(self.case.network, design, clips, starts=key not in self.students)
        if key in self.students:
            network.load_state_dict(self.students[key], strict=False)
        else:
            self.students[key] = students_of(network)
        return network

    def _delta_trial(self, network: nn.Module, design: Design, steps: int) -> Trial:
        learned = f", {steps} steps of distillation" if steps else ""
        trial = Trial(f"delta, {design}{learned}", "delta", design=design.key, steps=steps)
        begun = self.budget.now()
        with ExitStack() as stack:
            loaded = stack.enter_context(load(network, self.case.example(), pictures=self.case.pictures))
            trial = self._tried_out(trial, loaded)
            taken = choice.choose([*self.trials, trial], asked=self.case.asked).taken.trial
            if taken is trial:
                stack.pop_all()
                if self.best is not None:
                    self.best[1].__exit__()
                self.best = trial, loaded
        self._of_trial = self.budget.now() - begun
        return trial

    def _tried_out(self, trial: Trial, loaded: Loaded) -> Trial:
        """Time first; what saves none is not looked at further."""
        sessions = {
            (name, precision): session
            for precision in dict.fromkeys(("fp32", self.known().fastest[1]))
            for name, session in open_sessions(self.case, loaded, precision).items()
        }
        best, speedups, parts = delta_times(
            self.known().session,
            sessions,
            self.case.two_frames(),
            self.case.periods,
            seconds=self.seconds_of_times(),
        )
        trial = replace(trial, engine=best[0], precision=best[1], speedups=speedups, parts_ms=parts)
        if max(speedups.values()) <= self.known().factor:
            return replace(trial, ended="no period is faster than the fastest per-frame run")
        way = Delta(self.case, sessions[best], loaded.functions.structure)
        return self._judge().judged(way, trial, self.trials, prunes=True)

    def graphs_of(self, trial: Trial) -> Loaded:
        """The graphs of a trial, those of an earlier call made again; `close` does away with them."""
        if trial.kind != "delta":
            return self.known().loaded
        if self.best is None or students_key(self.best[0].design, self.best[0].steps) != students_key(
            trial.design, trial.steps
        ):
            network = self.network_of(designs.by_key(trial.design), trial.steps)
            if self.best is not None:
                self.best[1].__exit__()
            self.best = trial, load(network, self.case.example(), pictures=self.case.pictures)
        return self.best[1]

    def _distillation(self) -> bool:
        """Train the students of the likeliest design for the time left; whether it is worth going on."""
        before = self._likeliest()
        if before is None or not self.budget.allows(_WITH_A_TRIAL * self._of_trial):
            return False
        design = designs.by_key(before.design)
        with self._timed() as done:
            network = self.network_of(design, before.steps)
            seconds = self.budget.left() - self._of_trial
            steps, students = distilled(
                self.case,
                network,
                seconds=seconds,
                seed=self.case.seed + before.steps,
                clock=self.budget.now,
                tell=self.tell,
            )
            if not steps:
                return False
            self.students[students_key(design.key, before.steps + steps)] = students
            trial = self._delta_trial(network, design, before.steps + steps)
            done(trial)
        return gain(trial, before) > _WORTH

    def _likeliest(self) -> Trial | None:
        """The delta trial that is fastest where it keeps nearly what is asked; of these the most trained."""
        tried = [trial for trial in self.trials if trial.kind == "delta"]
        tried.sort(key=lambda trial: -trial.steps)
        for within in (0.02, 0.05, _NEAR, FAR):
            points = [point for trial in tried for point in trial.points()]
            found = choice.fastest(points, self.case.asked - within)
            if found is not None and found.speedup > 1:
                return found.trial
        return None

    def _judge(self) -> Judge:
        return Judge(self.case, self.known(), self.budget)

    def known(self) -> Baseline:
        """The per-frame network, once it was measured."""
        assert self.base is not None
        return self.base

    def seconds_of_times(self) -> float:
        """For times of one trial: less where there is little time at all."""
        return min(_SECONDS, self.budget.seconds / 40)

    def _ending(self) -> float:
        """Seconds for the test at the end: what was timed is written without tracing it again."""
        return min(0.2 * self.budget.seconds, self._of_trial / 2)

    def _tried(self, kind: str, design: str = "") -> bool:
        return any(trial.kind == kind and trial.design == design for trial in self.trials)

    @contextmanager
    def _timed(self) -> Iterator[Callable[[Trial], None]]:
        """Notes a trial with the seconds that it took."""
        begun = self.budget.now()
        yield lambda trial: self._note(replace(trial, seconds=self.budget.now() - begun))

    def _note(self, trial: Trial) -> None:
        self.trials.append(trial)
        self.tell(f"{trial.name}: {told(trial, self.case.asked)}")


_WORTH = 0.002  # of fidelity: a distillation that gave less is not gone on with


def students_key(design: str, steps: int) -> str:
    """The name of students that were trained for so many steps."""
    return f"{design}/{steps}"
