"""The course of an acceleration, within the time: what is cheap, then delta networks, then distillation."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from torch import nn

from deltadistill.acceleration import choice, designs, online_student, online_trials
from deltadistill.acceleration.adaptive import ByChange, by_change
from deltadistill.acceleration.baseline import Baseline, baseline
from deltadistill.acceleration.delta_trials import Tried, not_opened, tried
from deltadistill.acceleration.designs import ALONE, DESIGNS, Design
from deltadistill.acceleration.fill_trials import timed_fills
from deltadistill.acceleration.fills import best_fills, fills_of
from deltadistill.acceleration.judging import FEW, Judge, sequences_of
from deltadistill.acceleration.learning import TakenBackError, distilled
from deltadistill.acceleration.memory_bound import beyond, needed_mib, require_plain_fits
from deltadistill.acceleration.networks import Networks
from deltadistill.acceleration.notes import Notes
from deltadistill.acceleration.precisions import precisions_to_try
from deltadistill.acceleration.sessions import NoEngineError
from deltadistill.acceleration.stillness import Stillness, stillness, warning
from deltadistill.acceleration.student_trials import KIND, alone, alone_trial
from deltadistill.acceleration.trial import TAKEN_BACK, Trial
from deltadistill.acceleration.words import gain
from deltadistill.exporting.running import Loaded, load

_WORTH = 0.002  # of fidelity: a distillation that gave less is not gone on with
_FOR_DESIGNS = 0.3  # of the time, before distillation begins
_WITH_A_TRIAL = 1.5  # of what a trial takes: a distillation needs a trial afterwards, and some time
_MEASURING = 2.5  # so many times as long does a design take whose layers are timed first
_MEASURED = 2.0  # times what a trial is measured for, the written runner may be
_FOR_LEARNING = 0.15  # of the time, for a student that goes on learning online
_LOADS = 4.0  # a design takes about so many times as long as the plain network's graphs, before one is known


@dataclass
class Course(Notes):
    """The state of an acceleration: trials so far, and what the next ones need."""

    base: Baseline | None = None
    still: Stillness | None = None
    _stretches: ByChange | None = None
    _of_design: float = 0.0
    _of_trial: float = 0.0
    _ending: float = 0.0

    def __post_init__(self) -> None:
        self.networks = Networks(self.case)

    def __enter__(self) -> "Course":
        return self

    def __exit__(self, *error: object) -> None:
        self.networks.close()
        if self.base is not None:
            self.base.loaded.__exit__()

    def run(self) -> None:
        """Try everything there is time for; an interruption leaves what there is."""
        self.begin()
        self._fills()
        self._designs(_FOR_DESIGNS * self.budget.seconds)
        self._alone()
        self._online()
        while self._distillation():
            pass
        self._designs(self.budget.seconds)
        if not any(trial.is_delta for trial in self.trials):
            self.tell(
                f"no delta network was tried: one takes about {self._of_design:.0f} s; give more minutes"
            )

    def _designs(self, until: float) -> None:
        """Begin designs that were not tried yet, until so many seconds have passed; one in any case."""
        for design in DESIGNS:
            is_first = not any(trial.kind == "delta" for trial in self.trials)
            if not self.has(design=design.key) and (is_first or self.budget.now() < until):
                self._design(design)

    def begin(self) -> None:
        """The per-frame network in every engine and precision; without it nothing can be said."""
        begun = self.budget.now()
        loaded = load(self.case.network, self.case.example(), pictures=self.case.pictures)
        self._of_trial = self._of_design = _LOADS * (self.budget.now() - begun)
        try:
            needed = needed_mib(self.case, loaded)
            require_plain_fits(self.case, needed)
            precisions = precisions_to_try(self.case, loaded, self.budget, self._of_trial, self.tell)
            begun = self.budget.now()
            self.base = baseline(
                self.case,
                loaded,
                precisions=precisions,
                sequences=sequences_of(self.case)[: FEW if self.budget.allows(self._of_trial) else 1],
                seconds=self.budget.for_times(),
                opening_seconds=self.budget.for_an_opening(),
            )
        except BaseException:
            loaded.__exit__()
            raise
        self._ending = (self.budget.now() - begun) / len(
            self.base.trials
        ) + _MEASURED * self.budget.for_times()
        earlier, self.trials = self.trials, []
        for trial in self.base.trials:
            self.note(replace(trial, memory_mib=needed))
        for precision in set(precisions) & set(self.case.precisions) - {
            t.precision for t in self.base.trials
        }:
            self.tell(f"no engine here computes in {precision}")
        self.trials += [trial for trial in earlier if trial.kind != "per frame"]
        self.still = stillness(self.case, self.base.measure, self.base.answers)
        for warned in self.warnings():
            self.tell(f"warning: {warned}")
        self.budget.keep_back(max(self._ending, self._of_trial / 2))

    def _fills(self) -> None:
        """What needs no students."""
        base = self.known()
        answer = base.answers.begin(self.case.some_frames()[0])
        forms = {name: form for name, form in fills_of(answer).items() if not self.has(name=name)}
        if forms and self.budget.allows(self.budget.for_times()):
            fills = timed_fills(self.case, base, forms, seconds=self.budget.for_times())
            self.note_all(fills.judged(self._judge(), self.trials))

    def _design(self, design: Design) -> None:
        """A design of students that start from data; what it took is what the next one is expected to."""
        if not self.budget.allows(self._of_design * (_MEASURING if design.layers == "timed" else 1)):
            return
        begun = self.budget.now()
        with self.timing() as done:
            try:
                design = self._with_names(design)
                network = self.networks.made(design)
            except ValueError as error:
                done(Trial(f"delta, {design}", "delta", design=design.key, ended=str(error)))
                return
        if self.budget.allows(self._of_trial):
            self._delta_trial(network, design, 0)
        self._of_design = max(self.budget.now() - begun, self._of_trial)
        self.budget.keep_back(max(self._ending, self._of_trial / 2))

    def _delta_trial(self, network: nn.Module, design: Design, steps: int) -> Trial:
        """Try a delta network, alone and with filled frames; the trial of it alone."""
        learned = f", {steps} steps of distillation" if steps else ""
        trial = Trial(
            f"delta, {design}{learned}", "delta", design=design.key, steps=steps, compressed=design.names
        )
        begun = self.budget.now()
        trial = self._trial_of(network, trial, self._tried_out)
        self._of_trial = self.budget.now() - begun
        return trial

    def _trial_of(self, network: nn.Module, trial: Trial, try_out: Callable[[Trial, Loaded], Trial]) -> Trial:
        """The trial of a network's graphs, which are kept where it is the choice so far."""
        with ExitStack() as stack:
            loaded = stack.enter_context(self.networks.loaded(network, self.known().fastest[1]))
            trial = try_out(replace(trial, memory_mib=needed_mib(self.case, loaded)), loaded)
            if choice.choose(self.trials, asked=self.case.asked).taken.trial.has_students_of(trial):
                stack.pop_all()
                self.networks.keep(trial, loaded)
        return trial

    def _alone(self) -> None:
        """Students on every frame, from data; then distilled, where only their fidelity is in the way."""
        if self.has(design=ALONE.key) or not self.budget.allows(self._of_design):
            return
        with self.timing() as done:
            try:
                network = self.networks.made(ALONE)
            except ValueError as error:
                done(Trial(f"students on every frame, {ALONE}", KIND, design=ALONE.key, ended=str(error)))
                return
        before = self._alone_trial(network, 0)
        taken = choice.choose(self.trials, asked=self.case.asked).taken
        seconds = _FOR_LEARNING * self.budget.seconds
        is_faster = before.speedups.get(1, 0.0) > taken.speedup
        if before.has_students_of(taken.trial) or not is_faster:
            return
        if self.budget.allows(seconds + self._of_trial):
            self._learned(network, ALONE, before, seconds)

    def _alone_trial(self, network: nn.Module, steps: int) -> Trial:
        """Try students of features, as the plain network that they are."""
        learned = f", {steps} steps of distillation" if steps else ""
        trial = Trial(f"students on every frame, {ALONE}{learned}", KIND, design=ALONE.key, steps=steps)
        return self._trial_of(alone(network), trial, self._tried_alone)

    def _tried_alone(self, trial: Trial, loaded: Loaded) -> Trial:
        with self.timing() as done:
            done(alone_trial(self._judge(), loaded, trial, self.trials))
        return self.trials[-1]

    def _online(self) -> None:
        """A small student that learns from the per-frame network while the video runs, where that may do."""
        if ended := online_student.why_not(self.case, self.known()):
            self.tell(f"no student that learns online: {ended}")
            return
        if any(trial.kind == online_trials.KIND for trial in self.trials):
            return
        seconds = _FOR_LEARNING * self.budget.seconds
        if not self.budget.allows(seconds):
            return
        how = {"seconds": seconds, "clock": self.budget.now, "tell": self.tell}
        student, steps = online_student.pretrained(self.case, self.known(), **how)
        if not steps:
            self.tell("no student that learns online: there is too little time for it to learn before")
            return
        self.networks.students[online_trials.KIND] = student.state_dict()
        for settings in online_trials.settings_for(self.case.asked):
            with self.timing() as done:
                given = student, steps, settings, self.stretches()
                done(online_trials.tried_online(self.case, self.known(), *given))

    def _with_names(self, design: Design) -> Design:
        """With the layers that save time, in the engine of the first delta trial."""
        before = next((trial for trial in self.trials if trial.is_delta and trial.engine), None)
        name = (before.engine, before.precision) if before else self.known().fastest
        length = self.case.periods[len(self.case.periods) // 2]
        return self.networks.with_names(design, name, length=length, seconds=2 * self.budget.for_times())

    def _tried_out(self, trial: Trial, loaded: Loaded) -> Trial:
        """Time first; what saves none is not looked at further. All trials are noted; returns the first.

        What needs more memory than is given is not timed either.
        """
        with self.timing() as done:
            found = self._timed(trial, loaded)
            if isinstance(found, str):
                done(replace(trial, ended=found))
                return self.trials[-1]
            trial = found.plain(trial)
            if not found.is_faster(trial):
                done(replace(trial, ended="no period is faster than the fastest per-frame run"))
                return self.trials[-1]
        noted = self.note_all(found.judged(self._judge(), trial, self.trials))
        assert noted is not None
        return noted

    def _timed(self, trial: Trial, loaded: Loaded) -> Tried | str:
        """Its times, or why there are none; engines that failed are noted."""
        if ended := beyond(self.case, trial.memory_mib):
            return ended
        seconds = {"seconds": self.budget.for_times(), "opening_seconds": self.budget.for_an_opening()}
        try:
            found = tried(self.case, self.known(), loaded, best_fills(self.trials), **seconds)
        except NoEngineError as error:
            return str(error)
        for name, why in found.failed.items():
            self.note(not_opened(trial, name, why))
        return found

    def graphs_of(self, trial: Trial) -> Loaded:
        """The graphs of a trial; the course does away with them."""
        return self.networks.graphs_of(trial) if trial.design else self.known().loaded

    def _distillation(self) -> bool:
        """Train the students of the likeliest design for the time left; whether it is worth going on."""
        before = choice.likeliest(self.trials, asked=self.case.asked)
        if before is None or not self.budget.allows(_WITH_A_TRIAL * self._of_trial):
            return False
        design = designs.by_key(before.design, before.compressed)
        network = self.networks.made(design, before.steps)
        return self._learned(network, design, before, self.budget.left() - self._of_trial)

    def _learned(self, network: nn.Module, design: Design, before: Trial, seconds: float) -> bool:
        """Train students for so many seconds and try them again; whether it is worth going on."""
        how = {"seed": self.case.seed + before.steps, "clock": self.budget.now, "tell": self.tell}
        try:
            steps, students = distilled(self.case, network, seconds=seconds, **how)
        except TakenBackError as error:
            where = before.engine, before.precision
            self.note(Trial(f"{before.name}, {TAKEN_BACK}", before.kind, *where, ended=str(error)))
            return False
        if not steps:
            return False
        self.networks.students[design.students_key(before.steps + steps)] = students
        if design == ALONE:
            trial = self._alone_trial(network, before.steps + steps)
        else:
            trial = self._delta_trial(network, design, before.steps + steps)
        return gain(trial, before) > _WORTH

    def _judge(self) -> Judge:
        return Judge(self.case, self.known(), self.budget, self.stretches())

    def stretches(self) -> ByChange:
        """Stretches of the choosing part, on which streams are run as they run later."""
        self._stretches = self._stretches or by_change(self.case)
        return self._stretches

    def warnings(self) -> list[str]:
        """What makes all figures doubtful."""
        still, asked = self.still, self.case.asked
        return [warning(still, asked)] if still is not None and still.tells_nothing(asked) else []

    def known(self) -> Baseline:
        """The per-frame network, once it was measured."""
        assert self.base is not None
        return self.base
