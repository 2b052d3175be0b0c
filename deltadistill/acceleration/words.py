"""A trial in a line, and how much more it keeps than another."""

from deltadistill.acceleration.choice import fastest
from deltadistill.acceleration.trial import Trial


def gain(trial: Trial, before: Trial) -> float:
    """How much more a trial keeps, over the periods of both."""
    both = [period for period in trial.kept if period in before.kept]
    return sum(trial.kept[period] - before.kept[period] for period in both) / max(1, len(both))


def told(trial: Trial, asked: float) -> str:
    """The fastest point that keeps what is asked, or the one that keeps most; "at least": its lower end."""
    points = list(trial.points())
    if not points:
        return trial.ended or "not measured"
    best = fastest(points, asked) or max(points, key=lambda point: point.kept)
    every = f" at period {best.period}" if best.period > 1 else ""
    ended = f" ({trial.ended})" if trial.ended else ""
    return f"×{best.speedup:.2f}{every}, keeps {best.kept:.3f}, at least {best.lower:.3f}{ended}"
