"""What accuracy is called, task by task: in files and in words. Nothing else knows both names of a score."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """The main score of a task, between 0 and 1, and what stands beside it.

    `key` and `name` are what it is called in files and in words, `class_key` and `class_name` the same for
    one class. `also` are the keys of further scores, `also_names` what they are called in words, `parts` the
    keys of the main score over some of the objects.
    """

    key: str
    name: str
    class_key: str
    class_name: str
    also: tuple[str, ...] = ()
    also_names: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

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


MIOU = Measure("miou", "mIoU", "iou", "IoU")
MAP50 = Measure(
    "map50",
    "mAP@0.5",
    "ap50",
    "AP@0.5",
    also=("map",),
    also_names=("mAP@[.5:.95]",),
    parts=("map50_slow", "map50_medium", "map50_fast"),
)
TOP1 = Measure("top1", "top-1", "top1_of_class", "top-1", also=("top5",), also_names=("top-5",))
MEASURES = {measure.key: measure for measure in (MIOU, MAP50, TOP1)}


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
