"""Rivals without a network between key frames: the key frame's answer copied, and moved by flow."""

from deltadistill.acceleration.judging import Judge
from deltadistill.acceleration.moving import can_move
from deltadistill.acceleration.timing import moving_times
from deltadistill.acceleration.trial import Trial
from deltadistill.acceleration.ways import Copied, Moved


def copied(judge: Judge) -> Trial:
    """Copies take no time."""
    base = judge.base
    speedups = {period: base.factor * period for period in judge.case.periods}
    return judge.judged(Copied(base.quickest), Trial("copied", "copied", *base.fastest, speedups=speedups))


def moved(judge: Judge, *, seconds: float) -> Trial | None:
    """Moved by flow, which is timed for so many seconds; None where answers have no places."""
    base, frames = judge.base, judge.case.two_frames()
    if not can_move(base.answers.begin(frames[0][0])):
        return None
    way = Moved(base.quickest)
    way.begin(frames[0][0])
    speedups, parts = moving_times(
        base.session,
        base.fastest_session,
        frames[0],
        lambda: way.next_one(frames[1][0]),
        judge.case.periods,
        seconds=seconds,
    )
    trial = Trial("moved by flow", "moved", *base.fastest, speedups=speedups, parts_ms=parts)
    return judge.judged(way, trial)
