"""What needs no students: frames in full, and answers copied or moved between them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from deltadistill.acceleration.adaptive import watching
from deltadistill.acceleration.baseline import Baseline
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.fills import fill_calls
from deltadistill.acceleration.judging import Judge, Try
from deltadistill.acceleration.timing import Calls, WayTimes, way_times
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.ways import Filled
from deltadistill.runtime.between import Between


@dataclass(frozen=True)
class Fills:
    """Ways to fill frames, with their times."""

    case: Case
    base: Baseline
    forms: Mapping[str, Between]
    times: WayTimes

    def judged(self, judge: Judge, others: list[Trial]) -> Iterator[Trial]:
        """A trial of each, and one of the best with key frames by change."""
        tries = []
        for name, form in self.forms.items():
            way = partial(Filled, self.base.quickest, form)
            trial = judge.judged(way(), self._timed(name, form), prunes=True)
            speedup = partial(self.times.speedup_by_change, self.base.fastest, between=form, fill=name)
            tries.append(Try(trial, way, speedup))
            yield trial
        yield from judge.by_change(tries, others)

    def _timed(self, name: str, form: Between) -> Trial:
        fastest, periods = self.base.fastest, self.case.periods
        speedups = self.times.speedups(fastest, periods, between=form, fill=name)
        parts = self.times.parts_ms(fastest, name)
        return Trial(name, form.kind, *fastest, between=form, speedups=speedups, parts_ms=parts)


def timed_fills(case: Case, base: Baseline, forms: Mapping[str, Between], *, seconds: float) -> Fills:
    """Time them all in turns."""
    frames = case.some_frames()
    times = way_times(
        partial(base.answers.computed, frames[0]),
        {base.fastest: Calls(partial(base.quickest.computed, frames[0]))},
        fill_calls(forms, frames, base.answers.begin(frames[0])),
        seconds=seconds,
        watching=watching(case),
    )
    return Fills(case, base, forms, times)
