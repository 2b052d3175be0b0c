"""Ground truth of MOT text (data/mot_text.py)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deltadistill.acceleration.truth import BoxTruth
from deltadistill.data.mot_text import read_mot_text

_PEOPLE = ("person", "pedestrian", "people")


def read_mot(path: str | Path, categories: Sequence[str] = ()) -> BoxTruth:
    """Read a file; ValueError with the line for what is no MOT text.

    Lines whose seventh number is 0 are not to be taken into account. categories: the network's, by which
    people are told from other things.
    """
    path = Path(path)
    found = {
        frame: [box.edges for box in boxes if box.counts] for frame, boxes in read_mot_text(path).items()
    }
    boxes = {frame: np.array(edges) for frame, edges in found.items() if edges}
    people = tuple(index for index, name in enumerate(categories) if name.lower() in _PEOPLE)
    return BoxTruth(str(path), boxes, {}, people)
