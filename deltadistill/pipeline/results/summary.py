"""summary.json: the headline figures of an experiment, mean over seeds."""

import dataclasses
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from deltadistill.files.result_files import write_json
from deltadistill.metrics.measures import BUILT_IN, MEASURES, MIOU, Measure, make_known, measure_in
from deltadistill.pipeline.results.claims import Claim, judge
from deltadistill.pipeline.results.equal_cost import equal_cost_pairs
from deltadistill.pipeline.results.files import read_json
from deltadistill.pipeline.results.latency_file import Latency
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.scores import Score, average, scores
from deltadistill.pipeline.results.timed_on import TimedOn, timed_on, times_at
from deltadistill.pipeline.results.variants import Role, Variant, label_of, leading
from deltadistill.pipeline.results.video_points import VideoPoints, video_points


class _Scored:
    """In the file the score goes by the key of its measure, and further scores stand beside it."""

    @model_validator(mode="before")
    @classmethod
    def _by_its_measure(cls, found: Any) -> Any:
        measure = measure_in(found)
        if measure is None:
            return found
        names = {measure.key: "score", f"{measure.key}_std": "score_std"}
        further = (*measure.also, *measure.parts)
        more = {key: found[key] for key in further if key in found}
        return {names.get(key, key): v for key, v in found.items() if key not in more} | {"more": more}


@dataclass(frozen=True)
class Point(_Scored):
    """One variant at one T: percent, GMACs amortised per frame, share of the teacher's MACs.

    The ``_std`` fields are sample standard deviations over seeds, None for a single seed. ``more`` are the
    scores beside the main one, by their keys.
    ms, speedup: measured time per frame of the network alone, and how many times faster than the teacher's in
    the engine that is the fastest for it; both in the variant's own fastest ``engine``. end_to_end_…: the
    same from the picture's file to the prediction. None where no time was measured.
    peak_mib, published_peak_mib: memory of a frame beside weights, as in a sweep's file; of a stream that was
    counted peak_mib, delta_peak_mib and kept_mib.
    """

    score: float
    gmacs: float
    macs_ratio: float
    ms: float | None = None
    speedup: float | None = None
    engine: str | None = None
    end_to_end_ms: float | None = None
    end_to_end_speedup: float | None = None
    consistency: float | None = None
    score_std: float | None = None
    consistency_std: float | None = None
    peak_mib: float | None = None
    published_peak_mib: float | None = None
    delta_peak_mib: float | None = None
    kept_mib: float | None = None
    more: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True)
class TeacherPoint(_Scored):
    """The teacher on every frame; ms: as in a Point."""

    score: float
    gmacs: float
    ms: float | None = None
    score_std: float | None = None
    more: dict[str, float] = Field(default_factory=dict)


def _measure(found: Any) -> Any:
    if isinstance(found, str) and found not in MEASURES:
        raise ValueError(f"unknown measure; there are {', '.join(MEASURES)}")
    return MEASURES[found] if isinstance(found, str) else found


@dataclass(frozen=True)
class Summary:
    """The content of summary.json; ``minutes`` are per stage, summed over variants, mean over seeds.

    consistency_flow: what predictions were carried along: exact, dis, tracks, classes, or a task's own way.
    measure: in the file the key of a built-in one, and what another is called in full, so that who did not
        import its task can read the file.
    shown: the part that each variant plays; not in files of before roles were written.
    videos: over whole videos, by schedule; in the file only where any variant was run so.
    timed_on: None where no time was measured.
    """

    variants: dict[str, dict[int, Point]]
    teacher: TeacherPoint
    seeds: tuple[int, ...]
    minutes: dict[str, float]
    experiment: str = ""
    reference: Literal["labels", "teacher"] = "labels"
    labelled_frames: int = 0
    consistency_flow: str = "dis"
    measure: Annotated[Measure, BeforeValidator(_measure)] = MIOU
    claims: tuple[Claim, ...] = Field(default=())
    timed_on: TimedOn | None = None
    shown: dict[str, Variant] = Field(default_factory=dict)
    videos: VideoPoints = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _its_measure_is_known(cls, found: Any) -> Any:
        if isinstance(found, dict) and isinstance(found.get("measure"), dict):
            make_known(measure := TypeAdapter(Measure).validate_python(found["measure"]))
            return found | {"measure": measure}
        return found

    @property
    def accuracy(self) -> str:
        """What the scores are called."""
        return self.measure.against(self.reference)

    @property
    def is_timed(self) -> bool:
        """Whether any point has a measured time."""
        return any(point.ms is not None for points in self.variants.values() for point in points.values())

    @property
    def is_of_single_frames(self) -> bool:
        """Whether every frame was a key frame in all that was measured, as of stills."""
        return all(set(points) <= {1} for points in self.variants.values()) and not self.videos

    def label(self, name: str) -> str:
        """What a variant is called."""
        return label_of(self.shown, name)

    def points_of(self, role: Role) -> dict[int, Point]:
        """Points by T of the variant that stands for a role; empty where none does."""
        return self.variants.get(leading(self.shown, role), {})


def summarise(results: Results) -> Summary:
    """Average the results over seeds and judge the paper's claims on them."""
    table = scores(results)
    if 1 not in table[results.teacher]:
        raise ValueError(
            f"the variant {results.teacher!r} was not measured at T = 1; add 1 to "
            "sweep_sequence_length.lengths"
        )
    variants = {
        name: {
            length: with_time(point_of(list(by_seed.values())), results.latency, name, length)
            for length, by_seed in by_length.items()
        }
        for name, by_length in table.items()
    }
    teacher = variants[results.teacher][1]
    return Summary(
        variants=variants,
        teacher=TeacherPoint(teacher.score, teacher.gmacs, teacher.ms, teacher.score_std, teacher.more),
        seeds=results.seeds,
        minutes=_minutes(results),
        experiment=results.experiment,
        reference=results.reference,
        labelled_frames=results.labelled_frames,
        consistency_flow=_flow(results),
        measure=results.measure,
        claims=judge(
            table,
            results.variants,
            reference=results.reference,
            measure=results.measure,
            equal_cost=equal_cost_pairs(results, table),
        ),
        shown=dict(results.variants),
        timed_on=timed_on(results.latency),
        videos=video_points(results),
    )


def with_time(point: Point, latency: Latency, name: str, length: int) -> Point:
    """The point with the time of its variant at its length, as far as that was measured."""
    return dataclasses.replace(point, **times_at(latency, name, length))


def is_per_frame(points: dict[int, Point]) -> bool:
    """Whether a variant has no stream: then it costs the same at every T."""
    costs = [point.gmacs for point in points.values()]
    return max(costs) - min(costs) < 1e-9


def write_summary(summary: Summary, path: Path) -> None:
    """Write summary.json; fields that are None (no spread of a single seed) are left out."""
    content = dataclasses.asdict(summary) | {"measure": _as_written(summary.measure)}
    content["teacher"] = named_by_measure(content["teacher"], summary.measure)
    content["variants"] = {
        name: {length: named_by_measure(point, summary.measure) for length, point in points.items()}
        for name, points in content["variants"].items()
    }
    if not content["videos"]:
        del content["videos"]
    write_json(path, _without_none(content))


def _as_written(measure: Measure) -> str | dict[str, Any]:
    if measure in BUILT_IN:
        return measure.key
    return {name: value for name, value in dataclasses.asdict(measure).items() if name != "bounds"}


def named_by_measure(point: dict[str, Any], measure: Measure) -> dict[str, Any]:
    """A point's fields as files have them: the score under the key of its measure, the others beside it."""
    names = {"score": measure.key, "score_std": f"{measure.key}_std"}
    named = {}
    for key, value in point.items():
        if key != "more":
            named[names.get(key, key)] = value
        if key == "score":
            named |= point.get("more", {})
    return named


def read_summary(path: Path) -> Summary:
    """Read summary.json; errors name the file and the fault."""
    return read_json(path, Summary, stage="write_report")


def point_of(by_seed: list[Score]) -> Point:
    """Average scores over seeds."""
    mean, deviation = average([score.score for score in by_seed])
    known = [score.consistency for score in by_seed if score.consistency is not None]
    consistency, consistency_std = average(known) if len(known) == len(by_seed) else (None, None)
    return Point(
        score=_round(mean, 3),
        gmacs=_round(average([score.gmacs for score in by_seed])[0], 5),
        macs_ratio=_round(average([score.macs_ratio for score in by_seed])[0], 4),
        consistency=_round(consistency, 3),
        score_std=_round(deviation, 3),
        consistency_std=_round(consistency_std, 3),
        peak_mib=_round(by_seed[0].peak_mib, 4),
        published_peak_mib=_round(by_seed[0].published_peak_mib, 4),
        delta_peak_mib=_round(by_seed[0].delta_peak_mib, 4),
        kept_mib=_round(by_seed[0].kept_mib, 4),
        more=_more(by_seed),
    )


def _more(by_seed: list[Score]) -> dict[str, float]:
    """Means of the scores beside the main one, of those that every seed has."""
    known = [key for key in by_seed[0].more if all(score.more[key] is not None for score in by_seed)]
    return {key: _round(average([score.more[key] for score in by_seed])[0], 3) for key in known}


def _minutes(results: Results) -> dict[str, float]:
    """Sum each stage's minutes over variants, then take the mean over seeds."""
    spent: dict[str, dict[int | None, float]] = defaultdict(lambda: defaultdict(float))
    for provenance in results.provenances:
        spent[provenance.stage][provenance.seed] += provenance.minutes
    return {stage: _round(average(list(by_seed.values()))[0], 2) for stage, by_seed in spent.items()}


def _flow(results: Results) -> str:
    first = next(iter(results.consistencies[results.teacher].values()))
    found = {length.along for length in first.lengths.values()}
    return found.pop() if len(found) == 1 else "dis"


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _without_none(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _without_none(value) for key, value in content.items() if value is not None}
    if isinstance(content, list | tuple):
        return [_without_none(value) for value in content]
    return content
