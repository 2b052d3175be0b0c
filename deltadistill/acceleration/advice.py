"""What to try next, from what the trials show."""

from collections.abc import Sequence
from typing import Any

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.choice import fastest
from deltadistill.acceleration.trial import TAKEN_BACK, Trial

_LOWER = (0.99, 0.98, 0.95, 0.9)


def advice(case: Case, outcome: Any) -> list[str]:
    """Sentences, the likeliest gain first."""
    points = [point for trial in outcome.trials for point in trial.points()]
    taken, said = outcome.choice.taken, []
    for lower in (each for each in _LOWER if each < case.asked):
        found = fastest(points, lower)
        if found is not None and found.speedup > 1.1 * taken.speedup:
            said.append(
                f"--fidelity {lower:g} would allow ×{found.speedup:.2f}: {found.trial.name}, period "
                f"{found.period}."
            )
            break
    steps = max((trial.steps for trial in outcome.trials if trial.design), default=0)
    said.append(_of_distillation(steps, outcome.trials))
    if not any(trial.is_delta for trial in outcome.trials):
        said.append("No delta network was tried for want of time: give several times as many --minutes.")
    elif not any(trial.kind == "delta" and trial.fidelities for trial in outcome.trials):
        said.append(
            "No delta network was faster than per frame here: deltadistill inspect NETWORK shows the bound "
            "of the gain."
        )
    frames = sum(map(len, case.parts.learning))
    said.append(f"Students learn from {frames} frames; a longer video, or several, makes them more faithful.")
    if outcome.tested.kept < case.asked:
        said.append(
            "The testing part differs from the others: give videos of all that is to be expected, "
            "or ask for a little more fidelity than is needed."
        )
    return said


def _of_distillation(steps: int, trials: Sequence[Trial]) -> str:
    again = "the same call again, with more --minutes, goes on."
    if steps:
        return f"The students were trained for {steps} steps; {again}"
    if any(trial.name.endswith(TAKEN_BACK) for trial in trials):
        return f"Students were distilled, and were no better for it; {again}"
    return f"No time was left to distil the students: {again}"
