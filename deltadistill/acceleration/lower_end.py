"""The lower end of a figure over a video, from how it changes without one piece of the video or another.

AP, mIoU and F1 are no means over frames, and frames that follow one another are alike. So pieces of the
video, one after another in time, are left out in turn: the delete-m_j jackknife of Busing, Meijer and van der
Leeden (Statistics and Computing 9, 1999), which allows for pieces of unequal size.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import ne
from typing import Any

from deltadistill.acceleration.footage import Shot

PIECES = (
    8  # of a part of the video: from five on Student's factor hardly falls, and shorter ones are more alike
)
SURE = 0.9  # one-sided: one figure in ten lies below its lower end, if pieces are independent
_STUDENT = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415)  # of 1 to 7 degrees of freedom, at SURE
NOTHING_KNOWN = 0.0  # of a figure that all comes from one piece

_HALF = PIECES // 2  # the number of the first piece of the second half

Place = tuple[str, int]
"""Of a frame: its video, and its number there."""

Total = Callable[[Sequence[Any]], float]
"""A figure of records."""


def pieces_of(shots: Sequence[Shot]) -> dict[Place, int]:
    """Which piece each frame of a part is in: PIECES of them, of as many frames each as can be."""
    places = [(shot.video, number) for shot in shots for number in shot.numbers]
    return {place: at * PIECES // len(places) for at, place in enumerate(places)}


def lower_end(total: Total, pieces: Mapping[int, Sequence[Any]]) -> float:
    """The lower end of `total` of the records of all pieces, by their number; NOTHING_KNOWN for one piece.

    That of the jackknife at SURE, which takes pieces for draws of one kind; where the video changes for good
    they are not, so that it is no more than what either half of the time has.
    """
    records = [(number, record) for number, found in sorted(pieces.items()) for record in found]
    there = sorted(number for number, found in pieces.items() if found)
    if len(there) < 2:
        return NOTHING_KNOWN

    def of(is_counted: Callable[[int], bool]) -> float:
        return total([record for number, record in records if is_counted(number)])

    whole, without = of(lambda number: True), [of(partial(ne, out)) for out in there]
    deviation = math.sqrt(variance(whole, without, [len(pieces[number]) for number in there]))
    lower = whole - _STUDENT[len(there) - 2] * deviation
    if there[0] < _HALF <= there[-1]:
        lower = min(lower, of(lambda number: number < _HALF), of(lambda number: number >= _HALF))
    return lower


def variance(whole: float, without: Sequence[float], sizes: Sequence[int]) -> float:
    """Of a figure that is `whole` on all records, and without each of the pieces of these sizes."""
    count, number = sum(sizes), len(sizes)
    estimate = number * whole - sum(
        (1 - size / count) * each for size, each in zip(sizes, without, strict=True)
    )
    times = [count / size for size in sizes]  # h_j of the source
    squares = (
        (each * whole - (each - 1) * left - estimate) ** 2 / (each - 1)
        for each, left in zip(times, without, strict=True)
    )
    return sum(squares) / number
