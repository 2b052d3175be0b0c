"""The trials of an acceleration, noted in their order and told as they come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.words import told


@dataclass
class Notes:
    """trials: so far. tell: is given a line for each, and whatever else there is to say on the way."""

    case: Case
    budget: Budget
    tell: Callable[[str], None]
    trials: list[Trial] = field(default_factory=list)

    def note(self, trial: Trial) -> None:
        """Take down a trial."""
        self.trials.append(trial)
        self.tell(f"{trial.name}: {told(trial, self.case.asked)}")

    @contextmanager
    def timing(self) -> Iterator[Callable[[Trial], None]]:
        """What notes a trial with the seconds since the block began."""
        begun = self.budget.now()
        yield lambda trial: self.note(replace(trial, seconds=self.budget.now() - begun))

    def note_all(self, judged: Iterator[Trial]) -> Trial | None:
        """Note trials as they come, each with the seconds that it took; the first of them."""
        first = None
        while True:
            with self.timing() as done:
                each = next(judged, None)
                if each is None:
                    return first
                done(each)
            first = first or each

    def has(self, *, name: str = "", design: str = "") -> bool:
        """Whether there is a trial of this name, or of this design."""
        return any(trial.name == name if name else trial.design == design for trial in self.trials)
