"""Which of the paper's claims hold here, judged from the measured figures.

A claim that misses its bound by a hair does not hold. A claim about something that was not run is "not
measured".
"""

from dataclasses import dataclass
from typing import Literal

from deltadistill.metrics.measures import MIOU, Measure
from deltadistill.pipeline.results.claim_rules import Rule, rules_of
from deltadistill.pipeline.results.equal_cost import Pair
from deltadistill.pipeline.results.findings import Measured, NotMeasuredError
from deltadistill.pipeline.results.scores import Scores
from deltadistill.pipeline.results.variants import Variants

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
    table: Scores,
    variants: Variants,
    *,
    reference: str,
    measure: Measure = MIOU,
    equal_cost: tuple[Pair, ...] = (),
) -> tuple[Claim, ...]:
    """Judge every claim on the scores (percent); ``reference`` is ``labels`` or ``teacher``.

    variants: which part each plays; of two in one role the first is judged.
    measure: what the scores are.
    equal_cost: searched networks, each beside an everything-compressed one of its MACs.
    """
    measured = Measured(table, variants)
    return tuple(_judge(measured, rule, reference) for rule in rules_of(measure, variants, equal_cost))


def _judge(measured: Measured, rule: Rule, reference: str) -> Claim:
    verdict: Verdict = "not measured"
    if rule.needs_labels and reference != "labels":
        figures = "there are no labels to measure accuracy against"
    else:
        try:
            holds, figures = rule.found(measured)
            verdict = "holds" if holds else "does not hold"
        except NotMeasuredError as missing:
            figures = f"{missing} was not run in this experiment"
    return Claim(name=rule.name, text=rule.text, bound=rule.bound, figures=figures, verdict=verdict)
