"""Delta networks of designs, their students, and the graphs of the one that is best so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.acceleration import designs
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.designs import Design
from deltadistill.acceleration.learning import students_of
from deltadistill.acceleration.narrow import with_int8
from deltadistill.acceleration.sessions import require_trial_runs
from deltadistill.acceleration.student_trials import alone
from deltadistill.acceleration.timing import Name
from deltadistill.acceleration.trial import Trial
from deltadistill.exporting.running import Loaded, load

_CLIPS, _STEPS = 12, (0, 2, 6)  # that students start from


@dataclass
class Networks:
    """students: by `Design.students_key`. best: a delta trial of this call, and its graphs."""

    case: Case
    students: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    best: tuple[Trial, Loaded] | None = None

    def made(self, design: Design, steps: int = 0) -> nn.Module:
        """A delta network of the design, with the students of so many steps of distillation."""
        torch.manual_seed(self.case.seed)
        key = design.students_key(steps)
        network = designs.made(self.case.network, design, self._clips(), starts=key not in self.students)
        if key in self.students:
            network.load_state_dict(self.students[key], strict=False)
        else:
            self.students[key] = students_of(network)
        return network

    def with_names(self, design: Design, name: Name, *, length: int, seconds: float) -> Design:
        """With the layers that save time in an engine and precision, where these are what it has.

        Raises ValueError where none does.
        """
        if design.layers != "timed":
            return design
        torch.manual_seed(self.case.seed)
        delta = designs.made(self.case.network, design, self._clips(), starts=False)
        names = designs.saving_time(self.case, delta, name, length=length, seconds=seconds)
        if not names:
            raise ValueError("no layer's students save time")
        return replace(design, names=names)

    def _clips(self) -> Tensor:
        return self.case.clips(most=_CLIPS, steps=_STEPS).stacked()

    def loaded(self, network: nn.Module, precision: str) -> Loaded:
        """Its graphs, for a precision."""
        loaded = load(network, self.case.example(), pictures=self.case.pictures)
        if precision == "int8":
            try:
                with_int8(self.case, loaded)
            except BaseException:
                loaded.__exit__()
                raise
        return loaded

    def keep(self, trial: Trial, loaded: Loaded) -> None:
        """Take these for the best from now on."""
        self.close()
        self.best = trial, loaded

    def graphs_of(self, trial: Trial) -> Loaded:
        """The graphs of a delta trial; those of an earlier call are made again, and prove themselves again.

        Raises NoEngineError where its engine does not run them now.
        """
        if self.best is None or not self.best[0].has_students_of(trial):
            design = designs.by_key(trial.design, trial.compressed)
            network = self.made(design, trial.steps)
            network = alone(network) if design.predicts == "feature" else network
            self.keep(trial, self.loaded(network, trial.precision))
            assert self.best is not None
            require_trial_runs(self.case, self.best[1], trial)
        assert self.best is not None
        return self.best[1]

    def close(self) -> None:
        """Do away with the graphs."""
        if self.best is not None:
            self.best[1].__exit__()
        self.best = None
