"""Mean IoU over the classes that are present, background left out: how online distillation is scored."""

import torch

from deltadistill.metrics.miou import ConfusionMatrix


def present_miou(counted: ConfusionMatrix, *, background: int | None = None) -> float:
    """Mean IoU over the classes that the targets have, from 0 to 1; NaN where nothing was counted.

    background: a class that is left out; where no other is present the mean is its IoU alone, so that a
        frame in which nothing is to be found is judged by what is found there all the same. None: no class.
    A class that is predicted and not present lowers the IoU of those in whose place it is, and has none
    itself; in `ConfusionMatrix.miou` a single pixel of it costs as much as a class that is missed.
    Raises ValueError for a background that is no class.
    """
    if background is not None and not 0 <= background < counted.classes:
        raise ValueError(f"background {background} is none of {counted.classes} classes; None: there is none")
    present = counted.counts.sum(1) > 0
    others = present.clone()
    if background is not None:
        others[background] = False
    chosen = others if others.any() else present
    if not chosen.any():
        return torch.nan
    return float(counted.iou()[chosen].mean())
