"""What became of a frame that the teacher of an online stream was asked for."""

from dataclasses import dataclass

KEPT_LESSONS = 4096
"""So many of the last lessons a stream remembers, for memory to stay as it is."""


@dataclass(frozen=True)
class Lesson:
    """What became of a frame that the teacher was asked for.

    frame: its number in the stream. before, after: the student's score on it, without and with the updates;
    None where there was nothing to score: no answer yet (of a delta network's first frame), or no label.
    steps: of the optimiser. stride: frames until the next one. macs: of the student, updates included.
    undone: why updates were undone; failed: why the teacher gave no label; None: they were not, it did.
    """

    frame: int
    before: float | None
    after: float | None
    steps: int
    stride: int
    macs: int
    undone: str | None = None
    failed: str | None = None
