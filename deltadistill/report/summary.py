"""summary.json: the headline figures of an experiment, mean over seeds."""

import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from deltadistill.report.claims import Claim, judge
from deltadistill.report.equal_cost import equal_cost_pairs
from deltadistill.report.files import read_json
from deltadistill.report.results import Results
from deltadistill.report.scores import Score, average, scores
from deltadistill.result_files import write_json


@dataclass(frozen=True)
class Point:
    """One variant at one T: percent, GMACs amortised per frame, share of the teacher's MACs.

    The ``_std`` fields are sample standard deviations over seeds, None for a single seed.
    """

    miou: float
    gmacs: float
    macs_ratio: float
    consistency: float | None = None
    miou_std: float | None = None
    consistency_std: float | None = None


@dataclass(frozen=True)
class TeacherPoint:
    """The teacher on every frame."""

    miou: float
    gmacs: float
    miou_std: float | None = None


@dataclass(frozen=True)
class Summary:
    """The content of summary.json; ``minutes`` are per stage, summed over variants, mean over seeds."""

    variants: dict[str, dict[int, Point]]
    teacher: TeacherPoint
    seeds: tuple[int, ...]
    minutes: dict[str, float]
    experiment: str = ""
    reference: Literal["labels", "teacher"] = "labels"
    labelled_frames: int = 0
    consistency_flow: Literal["exact", "dis"] = "dis"
    claims: tuple[Claim, ...] = Field(default=())


def summarise(results: Results) -> Summary:
    """Average the results over seeds and judge the paper's claims on them."""
    table = scores(results)
    if 1 not in table["teacher"]:
        raise ValueError(
            "the variant 'teacher' was not measured at T = 1; add 1 to sweep_sequence_length.lengths"
        )
    teacher = point_of(list(table["teacher"][1].values()))
    return Summary(
        variants={
            name: {length: point_of(list(by_seed.values())) for length, by_seed in by_length.items()}
            for name, by_length in table.items()
        },
        teacher=TeacherPoint(miou=teacher.miou, gmacs=teacher.gmacs, miou_std=teacher.miou_std),
        seeds=results.seeds,
        minutes=_minutes(results),
        experiment=results.experiment,
        reference=results.reference,
        labelled_frames=results.labelled_frames,
        consistency_flow=_flow(results),
        claims=judge(table, reference=results.reference, equal_cost=equal_cost_pairs(results, table)),
    )


def is_per_frame(points: dict[int, Point]) -> bool:
    """Whether a variant has no stream: then it costs the same at every T."""
    costs = [point.gmacs for point in points.values()]
    return max(costs) - min(costs) < 1e-9


def write_summary(summary: Summary, path: Path) -> None:
    """Write summary.json; fields that are None (no spread of a single seed) are left out."""
    content = _without_none(dataclasses.asdict(summary))
    write_json(path, content)


def read_summary(path: Path) -> Summary:
    """Read summary.json; errors name the file and the fault."""
    return read_json(path, Summary, stage="write_report")


def point_of(by_seed: list[Score]) -> Point:
    """Average scores over seeds."""
    miou, miou_std = average([score.miou for score in by_seed])
    known = [score.consistency for score in by_seed if score.consistency is not None]
    consistency, consistency_std = average(known) if len(known) == len(by_seed) else (None, None)
    return Point(
        miou=_round(miou, 3),
        gmacs=_round(average([score.gmacs for score in by_seed])[0], 5),
        macs_ratio=_round(average([score.macs_ratio for score in by_seed])[0], 4),
        consistency=_round(consistency, 3),
        miou_std=_round(miou_std, 3),
        consistency_std=_round(consistency_std, 3),
    )


def _minutes(results: Results) -> dict[str, float]:
    """Sum each stage's minutes over variants, then take the mean over seeds."""
    spent: dict[str, dict[int | None, float]] = defaultdict(lambda: defaultdict(float))
    for provenance in results.provenances:
        spent[provenance.stage][provenance.seed] += provenance.minutes
    return {stage: _round(average(list(by_seed.values()))[0], 2) for stage, by_seed in spent.items()}


def _flow(results: Results) -> str:
    first = next(iter(results.consistencies["teacher"].values()))
    return "exact" if all(length.exact for length in first.lengths.values()) else "dis"


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _without_none(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _without_none(value) for key, value in content.items() if value is not None}
    if isinstance(content, list | tuple):
        return [_without_none(value) for value in content]
    return content
