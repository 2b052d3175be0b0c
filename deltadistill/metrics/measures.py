"""What accuracy is called, task by task: in files and in words. Nothing else knows both names of a score."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Bounds:
    """What the report's claims ask of a measure: shares of the teacher's MACs at T, and points of score.

    compute: at most so much of the MACs. kept: at most so far below finetuned at T = 3. feature, copy, small:
    at least so far ahead of them, of `copy` at T = 3 and T = 10, of the others at T = 3. teacher: at least so
    good is a teacher worth distilling.
    """

    compute: Mapping[int, float]
    kept: float
    feature: float
    copy: Mapping[int, float]
    small: float
    teacher: float


@dataclass(frozen=True)
class Measure:
    """The main score of a task, between 0 and 1, and what stands beside it.

    `key` and `name` are what it is called in files and in words, `class_key` and `class_name` the same for
    one class. `also` are the keys of further scores, `also_names` what they are called in words, `parts` the
    keys of the main score over some of the objects. `bounds`: None: claims that ask for points are not made.
    """

    key: str
    name: str
    class_key: str
    class_name: str
    also: tuple[str, ...] = ()
    also_names: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    bounds: Bounds | None = field(default=None, compare=False)

    def against(self, reference: str) -> str:
        """What accuracy is called: fidelity where `reference` is not "labels" but "teacher"."""
        return self.name if reference == "labels" else "fidelity"

    def in_full(self, reference: str, *, unit: str = "") -> str:
        """The same in more words for figures, with the unit in brackets."""
        title, notes = self.name, [unit] if unit else []
        if reference != "labels":
            title, notes = "fidelity to the per-frame teacher", [self.name, *notes]
        return f"{title} ({', '.join(notes)})" if notes else title

    def part_name(self, key: str) -> str:
        """Which objects one of `parts` is about, in a word."""
        return key.removeprefix(f"{self.key}_")


# The bounds are fixed before any measurement, and are not softened.
MIOU = Measure(
    "miou",
    "mIoU",
    "iou",
    "IoU",
    bounds=Bounds(compute={3: 0.50}, kept=1.0, feature=5, copy={3: 2, 10: 8}, small=1, teacher=75),
)
MAP50 = Measure(
    "map50",
    "mAP@0.5",
    "ap50",
    "AP@0.5",
    also=("map",),
    also_names=("mAP@[.5:.95]",),
    parts=("map50_slow", "map50_medium", "map50_fast"),
    bounds=Bounds(compute={3: 0.55, 10: 0.40}, kept=2.0, feature=2, copy={3: 1, 10: 5}, small=1, teacher=50),
)
TOP1 = Measure(
    "top1",
    "top-1",
    "top1_of_class",
    "top-1",
    also=("top5", "ece"),
    also_names=("top-5", "calibration error"),
    bounds=Bounds(compute={3: 0.50}, kept=1.0, feature=1, copy={3: 1, 10: 2}, small=1, teacher=70),
)
MAP_AGREEMENT = Measure(
    "map_agreement", "map agreement", "map_agreement_of_class", "map agreement"
)  # 1 − relative squared error; what is good enough hangs on what the maps are for
FEATURE_SIMILARITY = Measure(
    "feature_similarity", "cosine similarity", "feature_similarity_of_class", "cosine similarity"
)
NOISE_TOLD = Measure(
    "noise_told", "noise told", "noise_told_of_class", "noise told"
)  # 1 − squared error / squared noise; what it is worth shows in pictures (FID)
BUILT_IN = (MIOU, MAP50, TOP1, MAP_AGREEMENT, FEATURE_SIMILARITY, NOISE_TOLD)
MEASURES = {measure.key: measure for measure in BUILT_IN}


def measure_in(found: Any) -> Measure | None:
    """The measure under whose key a file's mapping has a score; None where it has none, or is no mapping."""
    return next((m for m in MEASURES.values() if isinstance(found, dict) and m.key in found), None)


def make_known(measure: Measure) -> None:
    """Let this process read and write the scores of a task of one's own.

    Raises ValueError where another measure has the same key.
    """
    if MEASURES.setdefault(measure.key, measure) != measure:
        raise ValueError(
            f"the measure {measure.key!r} is taken by {MEASURES[measure.key].name}; rename yours"
        )
