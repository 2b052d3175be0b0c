"""The page's opening: title, sentences and the large figures, written from the measurements."""

from dataclasses import dataclass

from deltadistill.pipeline.report.tables import signed, spread
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.summary import Point, Summary
from deltadistill.pipeline.results.variants import NOUNS, Role, Variants, called, label_of, leading

TIME_SAVED = 1.1  # a smaller speed-up is not worth being called time saved


@dataclass(frozen=True)
class Tile:
    """One large figure and what it says."""

    value: str
    text: str


def title(summary: Summary) -> str:
    """Name the experiment."""
    experiment = summary.experiment.replace("_", " ")
    if summary.is_of_single_frames:
        return f"Networks on every frame: {experiment}"
    return f"Delta distillation on {experiment}"


def lead(results: Results, summary: Summary) -> list[str]:
    """Return sentences: what was run, what it is compared with, what came out, what time it takes."""
    height, width = results.dataset.size
    of = _of_single_frames if summary.is_of_single_frames else _of_rival
    rivals = [words for name in summary.variants if (words := of(results.variants, name))]
    listed = " and ".join([", ".join(rivals[:-1])] * (len(rivals) > 1) + rivals[-1:])
    kind = "labelled" if summary.reference == "labels" else "unlabelled"
    frames = f"{summary.labelled_frames} {kind} test frames of {height}×{width}"
    network = _NETWORKS.get(summary.measure.key, "A network")
    return [
        f"{network}, the teacher, {_how(summary)}",
        f"On {frames} this is compared with {listed}"
        + (
            "."
            if summary.reference == "labels"
            else f"; accuracy is fidelity to the per-frame teacher, the {summary.measure.name} between the "
            "two predictions."
        ),
        _outcome(summary),
        *_time(summary),
    ]


def _how(summary: Summary) -> str:
    if summary.is_of_single_frames:
        return "and cheaper networks that learned from it answer every frame by themselves."
    return (
        "runs on one key frame in every T frames; on the "
        "frames between, cheap students predict only by how much the output of each layer has changed."
    )


def tiles(summary: Summary) -> list[Tile]:
    """Return the figures a reader should see first, all at T = 3 and 10."""
    ours = summary.points_of("ours")
    if 3 not in ours:
        return []
    found = [
        Tile(_percent(ours[3].macs_ratio), _with_ten("of the teacher's MACs per frame at T = 3", ours)),
        Tile(spread(ours[3].score, ours[3].score_std, 1), f"{summary.accuracy} in percent at T = 3"),
    ]
    if ours[3].speedup is not None:
        also = f"; ×{ours[10].speedup:.2f} at T = 10" if 10 in ours and ours[10].speedup else ""
        text = f"the teacher's speed at T = 3, measured, each in its fastest engine{also}"
        found.append(Tile(f"×{ours[3].speedup:.2f}", text))
    base: Role = "finetuned" if summary.points_of("finetuned") else "teacher"
    rivals = {base: f"{called(summary.shown, base)} on every frame", "copy": "copying the key frame"}
    for length, (role, against) in zip((3, 10), rivals.items(), strict=True):
        points = summary.points_of(role)
        if length in points and length in ours:
            difference = signed(ours[length].score - points[length].score, 1)
            found.append(Tile(difference, f"{summary.accuracy} against {against}, T = {length}"))
    return found


def _of_rival(variants: Variants, name: str) -> str | None:
    """What a variant is compared as; None for ours, and for others than the first of their role."""
    role = variants[name].role
    if role == "rival":
        return variants[name].label
    return _RIVALS.get(role) if leading(variants, role) == name else None


def _of_single_frames(variants: Variants, name: str) -> str | None:
    """The label, as every variant answers every frame; None for ours."""
    role = variants[name].role
    return None if role == "ours" else "the teacher" if role == "teacher" else label_of(variants, name)


def _with_ten(text: str, ours: dict[int, Point]) -> str:
    return f"{text}; {_percent(ours[10].macs_ratio)} at T = 10" if 10 in ours else text


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _outcome(summary: Summary) -> str:
    points, label = summary.points_of("ours"), called(summary.shown, "ours")
    method = "delta distillation" if label == NOUNS["ours"] else label
    if summary.is_of_single_frames and 1 in points:
        return _outcome_of_single_frames(summary, points[1], method)
    if 3 not in points:
        return f"{method[0].upper()}{method[1:]} at T = 3 was not measured."
    point = points[3]
    sentence = (
        f"At T = 3 {method} reaches {spread(point.score, point.score_std, 1)} % {summary.accuracy} "
        f"at {_percent(point.macs_ratio)} of the teacher's MACs"
    )
    base = summary.points_of("finetuned").get(3)
    if base is not None:
        sentence += f" (a per-frame teacher trained for as long: {spread(base.score, base.score_std, 1)} %)"
    if 10 in points:
        at_ten = spread(points[10].score, points[10].score_std, 1)
        sentence += f", at T = 10 it reaches {at_ten} % at {_percent(points[10].macs_ratio)}"
    return sentence + "."


def _outcome_of_single_frames(summary: Summary, point: Point, method: str) -> str:
    teacher = summary.points_of("teacher").get(1)
    costs = [f"{_percent(point.macs_ratio)} of the teacher's MACs"]
    if point.peak_mib and teacher and teacher.peak_mib:
        costs.append(f"{_percent(point.peak_mib / teacher.peak_mib)} of its theoretical peak memory")
    return (
        f"{method[0].upper()}{method[1:]} reaches {spread(point.score, point.score_std, 1)} % "
        f"{summary.accuracy} at {' and '.join(costs)}; the teacher "
        f"{spread(summary.teacher.score, summary.teacher.score_std, 1)} %."
    )


def _time(summary: Summary) -> list[str]:
    """One line on the measured time, none where ours or the teacher was not timed."""
    of, ours = summary.timed_on, summary.points_of("ours")
    timed = {t: ours[t] for t in (3, 10) if t in ours and ours[t].ms and ours[t].speedup}
    if of is None or summary.teacher.ms is None or not timed:
        return []
    times = (f"{p.ms:.1f} ms at T = {t} (speed-up ×{p.speedup:.2f}, {p.engine})" for t, p in timed.items())
    label = called(summary.shown, "ours")
    return [
        f"Measured on {of.words}, each in its fastest engine, a frame of {label} takes "
        f"{' and '.join(times)}, one of the teacher {summary.teacher.ms:.1f} ms ({of.baseline})"
        f"{_warning({length: point.speedup for length, point in timed.items()})}."
    ]


def _warning(speedups: dict[int, float]) -> str:
    slow = [t for t, speedup in speedups.items() if speedup < TIME_SAVED]
    if not slow:
        return ""
    where = "" if len(slow) == len(speedups) else f" at T = {slow[0]}"
    return f": MACs saved are not time saved{where}"


_NETWORKS = {"miou": "A segmentation network", "map50": "An object detector", "top1": "An image classifier"}
_RIVALS: dict[Role, str] = {
    "teacher": "the teacher on every frame",
    "finetuned": "the same teacher trained on for as long",
    "feature": "equally cheap students that predict features instead of changes",
    "imitation": "students that imitate features near objects alone",
    "small": "a cheaper network on every frame, taught by the teacher's logits",
    "copy": "repeating the key frame's prediction",
}
