"""A delta network tried out: with every frame computed, and with copied or moved answers in between."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from deltadistill.acceleration.adaptive import watching
from deltadistill.acceleration.baseline import Baseline
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.fills import fill_calls
from deltadistill.acceleration.judging import Judge, Try
from deltadistill.acceleration.sessions import open_sessions
from deltadistill.acceleration.timing import Calls, Name, WayTimes, way_times
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.ways import Delta, Filled, Way
from deltadistill.exporting.running import Loaded
from deltadistill.runtime.between import DELTA, Between
from deltadistill.runtime.engine import Session

EVERY = (2, 3)  # frames from one computed to the next, where those between are filled


@dataclass(frozen=True)
class Tried:
    """A delta network in the engine where it is fastest, with its times; what its trials have in common."""

    case: Case
    base: Baseline
    loaded: Loaded
    name: Name
    session: Session
    times: WayTimes
    fills: Mapping[str, Between]
    failed: Mapping[Name, str]

    def plain(self, trial: Trial) -> Trial:
        """The trial, timed, of the network alone."""
        return self._timed(trial, DELTA, None)

    def filled(self, trial: Trial) -> Iterator[tuple[str, Trial]]:
        """Trials of the same network that fill frames, timed, by what fills; those that save time."""
        for fill, form in self.fills.items():
            for every in EVERY:
                between = form.model_copy(update={"every": every})
                name = f"{trial.name}, every {'2nd' if every == 2 else '3rd'} frame; others {fill}"
                found = replace(trial, name=name, kind=f"delta, {form.kind}", between=between, ended="")
                found = self._timed(found, between, fill)
                if self.is_faster(found):
                    yield fill, found

    def is_faster(self, trial: Trial) -> bool:
        """Whether any period is faster than the fastest per-frame run."""
        return max(trial.speedups.values()) > self.base.factor

    def judged(self, judge: Judge, trial: Trial, others: list[Trial]) -> Iterator[Trial]:
        """The trial with its fidelity, then those that fill frames, where it came near enough."""
        way = Delta(self.case, self.session, self.loaded.functions.structure)
        found = judge.judged(way, trial, others, prunes=True)
        yield found
        if found.ended:
            return
        tries = [self._try(found, None)]
        for fill, filled in self.filled(trial):
            tries.append(self._try(judge.judged(Filled(way, filled.between), filled, prunes=True), fill))
            yield tries[-1].trial
        yield from judge.by_change(tries, others)

    def _try(self, trial: Trial, fill: str | None) -> Try:
        def way() -> Way:
            delta = Delta(self.case, self.session, self.loaded.functions.structure, keeps=False)
            return delta if fill is None else Filled(delta, trial.between)

        speedup = partial(self.times.speedup_by_change, self.name, between=trial.between, fill=fill)
        return Try(trial, way, speedup)

    def _timed(self, trial: Trial, between: Between, fill: str | None) -> Trial:
        speedups = self.times.speedups(self.name, self.case.periods, between=between, fill=fill)
        parts = self.times.parts_ms(self.name, fill)
        return replace(trial, engine=self.name[0], precision=self.name[1], speedups=speedups, parts_ms=parts)


def tried(
    case: Case,
    base: Baseline,
    loaded: Loaded,
    fills: Mapping[str, Between],
    *,
    seconds: float,
    opening_seconds: float,
) -> Tried:
    """Time a delta network in every engine, at full precision and that of the fastest per-frame run.

    opening_seconds: for each to open it and answer, in a process of its own. Raises NoEngineError.
    """
    precisions = list(dict.fromkeys(("fp32", base.fastest[1])))
    opened = open_sessions(case, loaded, precisions, functions=("key", "delta"), seconds=opening_seconds)
    sessions = opened.sessions
    frames = case.some_frames()
    times = way_times(
        partial(base.answers.computed, frames[0]),
        {name: _calls(case, session, loaded.functions.structure) for name, session in sessions.items()},
        fill_calls(fills, frames, base.answers.begin(frames[0])),
        seconds=seconds,
        watching=watching(case),
    )
    best = max(sessions, key=lambda name: max(times.speedups(name, case.periods, between=DELTA).values()))
    return Tried(case, base, loaded, best, sessions[best], times, fills, opened.failed)


def not_opened(trial: Trial, name: Name, why: str) -> Trial:
    """What is noted of an engine that a delta network failed in, beside the trial itself."""
    engine, precision = name
    return Trial(f"{trial.name}, {engine} {precision}", "delta", engine, precision, ended=why)


def _calls(case: Case, session: Session, structure: Any) -> Calls:
    first, later = (frame[None] for frame in case.some_frames()[:2])
    maps, spare = session.key(first)[1], session.key(first)[1]
    return Calls(
        lambda: case.decoded(structure, session.key(first, into=spare)[0]),
        lambda: case.decoded(structure, session.delta(later, maps)),
    )
