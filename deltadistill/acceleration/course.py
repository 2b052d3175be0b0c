"""The course of an acceleration, within the time: what is cheap, then delta networks, then distillation."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from torch import nn

from deltadistill.acceleration import choice, designs
from deltadistill.acceleration.baseline import Baseline, baseline
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.delta_trials import tried
from deltadistill.acceleration.designs import DESIGNS, Design
from deltadistill.acceleration.fills import best_fills, fill_calls, fills_of
from deltadistill.acceleration.judging import FAR, FEW, Judge, sequences_of
from deltadistill.acceleration.learning import distilled
from deltadistill.acceleration.memory_bound import beyond, needed_mib, require_plain_fits
from deltadistill.acceleration.narrow import with_int8
from deltadistill.acceleration.networks import Networks, same_students
from deltadistill.acceleration.timing import Calls, way_times
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.ways import Filled
from deltadistill.acceleration.words import gain, told
from deltadistill.exporting.running import Loaded, load

PRECISIONS = ("fp32", "bf16", "int8")
_SECONDS = 4.0  # that times are measured for, where there is time
_NEAR = 0.1  # below what is asked: distillation may mend it
_WORTH = 0.002  # of fidelity: a distillation that gave less is not gone on with
_FOR_DESIGNS = 0.3  # of the time, before distillation begins
_WITH_A_TRIAL = 1.5  # of what a trial takes: a distillation needs a trial afterwards, and some time
_MEASURING = 2.5  # so many times as long does a design take whose layers are timed first
_NARROWING = 10.0  # times what a trial takes, at least, before time is spent on 8 bits
_LOADS = 4.0  # a design takes about so many times as long as the plain network's graphs, before one is known

Tell = Callable[[str], None]


@dataclass
class Course:
    """The state of an acceleration: trials so far, in their order, and what the next ones need."""

    case: Case
    budget: Budget
    tell: Tell
    trials: list[Trial] = field(default_factory=list)
    base: Baseline | None = None
    _of_design: float = 0.0
    _of_trial: float = 0.0

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
        while self._distillation():
            pass
        self._designs(self.budget.seconds)

    def _designs(self, until: float) -> None:
        """Begin designs that were not tried yet, until so many seconds have passed; one in any case."""
        for design in DESIGNS:
            is_first = not any(trial.kind == "delta" for trial in self.trials)
            if not self._tried(design=design.key) and (is_first or self.budget.now() < until):
                self._design(design)

    def begin(self) -> None:
        """The per-frame network in every engine and precision; without it nothing can be said."""
        begun = self.budget.now()
        loaded = load(self.case.network, self.case.example(), pictures=self.case.pictures)
        self._of_trial = self._of_design = _LOADS * (self.budget.now() - begun)
        precisions = list(self.case.precisions or PRECISIONS)
        try:
            needed = needed_mib(self.case, loaded)
            require_plain_fits(self.case, needed)
            if "int8" in precisions and not self._narrowed(loaded):
                precisions.remove("int8")
            self.base = baseline(
                self.case,
                loaded,
                precisions=precisions,
                sequences=sequences_of(self.case)[:FEW],
                seconds=self.seconds_of_times(),
            )
        except BaseException:
            loaded.__exit__()
            raise
        earlier, self.trials = self.trials, []
        for trial in self.base.trials:
            self._note(replace(trial, memory_mib=needed))
        for precision in set(self.case.precisions) - {trial.precision for trial in self.base.trials}:
            self.tell(f"no engine here computes in {precision}")
        self.trials += [trial for trial in earlier if trial.kind != "per frame"]
        self.budget.reserve = self._ending()

    def _narrowed(self, loaded: Loaded) -> bool:
        """Whether there are graphs in 8 bits now."""
        if not self.budget.allows(_NARROWING * self._of_trial):
            self.tell("no graphs in 8 bits: there is too little time")
            return False
        try:
            with_int8(self.case, loaded)
        except ValueError as error:
            self.tell(f"no graphs in 8 bits: {error}")
            return False
        return True

    def _fills(self) -> None:
        """What needs no students: frames in full, and answers copied or moved between them."""
        base, frames = self.known(), self.case.some_frames()
        answer = base.answers.begin(frames[0])
        fills = {name: form for name, form in fills_of(answer).items() if not self._tried(name=name)}
        if not fills:
            return
        times = way_times(
            partial(base.answers.computed, frames[0]),
            {base.fastest: Calls(partial(base.quickest.computed, frames[0]))},
            fill_calls(fills, frames, answer),
            seconds=self.seconds_of_times(),
        )
        for name, form in fills.items():
            speedups = times.speedups(base.fastest, self.case.periods, between=form, fill=name)
            parts = times.parts_ms(base.fastest, name)
            trial = Trial(name, form.kind, *base.fastest, between=form, speedups=speedups, parts_ms=parts)
            with self._timed() as done:
                done(self._judge().judged(Filled(base.quickest, form), trial, prunes=True))

    def _design(self, design: Design) -> None:
        """A design of students that start from data; what it took is what the next one is expected to."""
        if not self.budget.allows(self._of_design * (_MEASURING if design.layers == "timed" else 1)):
            return
        begun = self.budget.now()
        with self._timed() as done:
            try:
                design = self._with_names(design)
                network = self.networks.made(design)
            except ValueError as error:
                done(Trial(f"delta, {design}", "delta", design=design.key, ended=str(error)))
                return
        self._delta_trial(network, design, 0)
        self._of_design = self.budget.now() - begun
        self.budget.reserve = self._ending()

    def _delta_trial(self, network: nn.Module, design: Design, steps: int) -> Trial:
        """Try a delta network, alone and with filled frames; the trial of it alone."""
        learned = f", {steps} steps of distillation" if steps else ""
        trial = Trial(
            f"delta, {design}{learned}", "delta", design=design.key, steps=steps, compressed=design.names
        )
        begun = self.budget.now()
        with ExitStack() as stack:
            loaded = stack.enter_context(self.networks.loaded(network, self.known().fastest[1]))
            trial = self._tried_out(replace(trial, memory_mib=needed_mib(self.case, loaded)), loaded)
            if same_students(choice.choose(self.trials, asked=self.case.asked).taken.trial, trial):
                stack.pop_all()
                self.networks.keep(trial, loaded)
        self._of_trial = self.budget.now() - begun
        return trial

    def _with_names(self, design: Design) -> Design:
        """With the layers that save time, in the engine of the first delta trial."""
        before = next((trial for trial in self.trials if trial.design and trial.engine), None)
        name = (before.engine, before.precision) if before else self.known().fastest
        length = self.case.periods[len(self.case.periods) // 2]
        return self.networks.with_names(design, name, length=length, seconds=2 * self.seconds_of_times())

    def _tried_out(self, trial: Trial, loaded: Loaded) -> Trial:
        """Time first; what saves none is not looked at further. All trials are noted; returns the first.

        What needs more memory than is given is not timed either.
        """
        fills = best_fills(self.trials)
        with self._timed() as done:
            if ended := beyond(self.case, trial.memory_mib):
                trial = replace(trial, ended=ended)
                done(trial)
                return trial
            found = tried(self.case, self.known(), loaded, fills, seconds=self.seconds_of_times())
            trial = found.plain(trial)
            if not found.is_faster(trial):
                trial = replace(trial, ended="no period is faster than the fastest per-frame run")
                done(trial)
                return trial
        judged = found.judged(self._judge(), trial, self.trials)
        first = None
        while True:
            with self._timed() as done:
                each = next(judged, None)
                if each is None:
                    break
                done(each)
            first = first or each
        assert first is not None
        return first

    def graphs_of(self, trial: Trial) -> Loaded:
        """The graphs of a trial; the course does away with them."""
        return self.networks.graphs_of(trial) if trial.design else self.known().loaded

    def _distillation(self) -> bool:
        """Train the students of the likeliest design for the time left; whether it is worth going on."""
        before = self._likeliest()
        if before is None or not self.budget.allows(_WITH_A_TRIAL * self._of_trial):
            return False
        design = designs.by_key(before.design, before.compressed)
        network = self.networks.made(design, before.steps)
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
        self.networks.students[design.students_key(before.steps + steps)] = students
        trial = self._delta_trial(network, design, before.steps + steps)
        return gain(trial, before) > _WORTH

    def _likeliest(self) -> Trial | None:
        """The delta network that is fastest where it keeps nearly what is asked; of these the most trained.

        Alone or with filled frames; returned is the trial of it alone.
        """
        tried = [trial for trial in self.trials if trial.design]
        tried.sort(key=lambda trial: -trial.steps)
        for within in (0.02, 0.05, _NEAR, FAR):
            points = [point for trial in tried for point in trial.points()]
            found = choice.fastest(points, self.case.asked - within)
            if found is not None and found.speedup > 1:
                return next(
                    each for each in tried if each.kind == "delta" and same_students(each, found.trial)
                )
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

    def _tried(self, *, name: str = "", design: str = "") -> bool:
        """Whether there is a trial of this name, or of this design."""
        return any(trial.name == name if name else trial.design == design for trial in self.trials)

    @contextmanager
    def _timed(self) -> Iterator[Callable[[Trial], None]]:
        """Notes a trial with the seconds that it took."""
        begun = self.budget.now()
        yield lambda trial: self._note(replace(trial, seconds=self.budget.now() - begun))

    def _note(self, trial: Trial) -> None:
        self.trials.append(trial)
        self.tell(f"{trial.name}: {told(trial, self.case.asked)}")
