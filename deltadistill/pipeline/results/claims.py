"""Which of the paper's claims hold here, judged from the measured figures.

A claim that misses its bound by a hair does not hold. A claim about something that was not run is "not
measured".
"""

from dataclasses import dataclass
from typing import Literal

from deltadistill.metrics.measures import MIOU, Measure
from deltadistill.pipeline.results.claim_rules import Rule, rules_of
from deltadistill.pipeline.results.equal_cost import Pair
from deltadistill.pipeline.results.findings import NotMeasuredError
from deltadistill.pipeline.results.scores import Scores

Verdict = Literal["holds", "does not hold", "not measured"]


@dataclass(frozen=True)
class Claim:
    """One claim, the bound it is judged by, the figures measured here, and the verdict."""

    name: str
    text: str
    bound: str
    figures: str
    verdict: Verdict


def judged(claims: tuple[Claim, ...]) -> list[Claim]:
    """The claims that the measurements decide, in order."""
    return [claim for claim in claims if claim.verdict != "not measured"]


def unmeasured(claims: tuple[Claim, ...]) -> list[Claim]:
    """The claims that were not measured, in order."""
    return [claim for claim in claims if claim.verdict == "not measured"]


def judge(
    table: Scores, *, reference: str, measure: Measure = MIOU, equal_cost: tuple[Pair, ...] = ()
) -> tuple[Claim, ...]:
    """Judge every claim on the scores (percent); ``reference`` is ``labels`` or ``teacher``.

    measure: what the scores are.
    equal_cost: searched networks, each beside an everything-compressed one of its MACs.
    """
    return tuple(_judge(table, rule, reference) for rule in rules_of(measure, equal_cost))


def _judge(table: Scores, rule: Rule, reference: str) -> Claim:
    verdict: Verdict = "not measured"
    if rule.needs_labels and reference != "labels":
        figures = "there are no labels to measure accuracy against"
    else:
        try:
            holds, figures = rule.found(table)
            verdict = "holds" if holds else "does not hold"
        except NotMeasuredError as missing:
            figures = f"{missing} was not run in this experiment"
    return Claim(name=rule.name, text=rule.text, bound=rule.bound, figures=figures, verdict=verdict)
