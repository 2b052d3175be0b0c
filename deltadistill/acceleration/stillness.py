"""Whether the per-frame network's answers change over a video at all: if not, fidelity tells nothing."""

from dataclasses import dataclass

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.fidelity import Measure
from deltadistill.acceleration.footage import samples
from deltadistill.acceleration.scoring import Scorer, Scores
from deltadistill.acceleration.ways import PerFrame

_FRAMES = 12
_NEARLY = 0.95  # what one answer keeps of a whole part of a video: little is left to follow


@dataclass(frozen=True)
class Stillness:
    """kept: by one frame's answer that stands for `frames` others, spread over the choosing part."""

    kept: float
    frames: int

    def tells_nothing(self, asked: float) -> bool:
        """Whether one answer for all frames is nearly each frame's own, or keeps what is asked for."""
        return self.kept >= min(asked, _NEARLY)


def stillness(case: Case, measure: Measure, plain: PerFrame) -> Stillness | None:
    """Compare the answer of the choosing part's first frame with those of others.

    Where there is truth, by its score. None where there is no other frame, or no truth of any.
    """
    places = samples(case.parts.choosing, longest=1, most=_FRAMES)
    if len(places) < 2:
        return None
    first, *others = places
    scores, scorer = Scores(), Scorer(case, measure, plain)
    answer = plain.begin(first.shot.frames[first.start])
    for each in others:
        scorer.note(scores, 0, each.shot, each.start, answer)
    kept = scores.kept(case, measure, 1)
    return None if kept is None else Stillness(kept, len(others))


def warning(still: Stillness, asked: float) -> str:
    """What there is to say of answers that do not change."""
    return (
        f"the per-frame network's answer hardly changes over the video: the first frame's, taken for "
        f"{still.frames} others of the choosing part, keeps {still.kept:.3f} where {asked:g} is asked for. "
        "Copied answers are right on such a video, whatever the network: neither speed-up nor fidelity tells "
        "anything. See that the weights are trained, that pictures go in as in training (size, order, mean, "
        "deviation), that --threshold leaves boxes, and that something happens in the video"
    )
