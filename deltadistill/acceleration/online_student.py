"""The student of an online trial: whether one may do, and what it learns before the video begins."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.acceleration.baseline import Baseline
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.fidelity import LabelAgreement
from deltadistill.acceleration.learning import rounded
from deltadistill.account.macs import count_macs
from deltadistill.exporting.pictures import as_frames
from deltadistill.online.label_stream import LabelStudent

_HIGHEST = 0.95  # a fidelity above which a student of this size passes on no frame
_TIMES_CHEAPER = 8.0  # in multiply-accumulates; below it updates eat what the student saves
_FRAMES, _BATCH = 400, 4
_RATE = 3e-3
_TRIED, _FEWEST, _MOST = 2, 20, 2560  # optimiser steps


def why_not(case: Case, base: Baseline) -> str:
    """Why a student that learns online is not tried; "" where it is."""
    if not isinstance(base.measure, LabelAgreement):
        return "answers are no labels"
    if case.asked > _HIGHEST:
        return f"more than {_HIGHEST:g} is asked for"
    if case.memory_mib is not None:
        return "what learning takes of memory is not counted, and there is a bound"
    if case.device != "cpu":
        return "it is tried on processors alone"
    if not classes_of(case, base):
        return "the network gives labels without scores, so that nothing says how many classes there are"
    student = student_of(case, base)
    frame = (3, *case.pictures.size)
    factor = count_macs(case.network, frame).key / count_macs(student, frame).key
    if factor < _TIMES_CHEAPER:
        return f"the student would save no more than {factor:.1f} times the work, before it learns"
    return ""


def classes_of(case: Case, base: Baseline) -> int:
    """How many classes the network's scores are of; 0 where it gives none at the size of its labels."""
    size = base.answers.begin(case.parts.choosing[0].frames[0])["label_map"].shape
    forms = [form.shape for form in base.loaded.graphs.outputs]
    found = [shape[1] for shape in forms if len(shape) == 4 and tuple(shape[2:]) == size]
    return found[0] if found and isinstance(found[0], int) else 0


def student_of(case: Case, base: Baseline) -> LabelStudent:
    """JITNet, with the case's random weights."""
    torch.manual_seed(case.seed)
    size = base.answers.begin(case.parts.choosing[0].frames[0])["label_map"].shape
    return LabelStudent(classes_of(case, base), size)


def pretrained(
    case: Case,
    base: Baseline,
    *,
    seconds: float,
    clock: Callable[[], float],
    tell: Callable[[str], None],
) -> tuple[LabelStudent, int]:
    """A student that has learned the per-frame network's labels on the learning part; and for how many steps.

    0: there is no time for any. Steps are of a coarse scale, as of `learning.distilled`.
    """
    student, end = student_of(case, base), clock() + seconds
    labelled = _Labelled(case, base)
    begun = clock()
    _learn(student, labelled, _TRIED, rate=0.0)
    each = (clock() - begun) / _TRIED
    steps = rounded((end - clock()) / max(each, 1e-9), fewest=_FEWEST, most=_MOST)
    if not steps:
        return student, 0
    tell(f"a student that learns online: {steps} steps before, about {steps * each:.0f} s")
    student = student_of(case, base)
    _learn(student, labelled, steps, rate=_RATE)
    return student, steps


class _Labelled:
    """Frames of the learning part with the per-frame network's labels, made when they are asked for."""

    def __init__(self, case: Case, base: Baseline):
        frames = [frame for shot in case.parts.learning for frame in shot.frames]
        taken = np.unique(np.linspace(0, len(frames) - 1, min(_FRAMES, len(frames))).round().astype(int))
        self._frames, self._case, self._base = [frames[index] for index in taken], case, base
        self._draws = torch.Generator().manual_seed(case.seed)

    def batch(self) -> tuple[Tensor, Tensor]:
        """Frames (N, 3, H, W) and labels (N, h, w)."""
        chosen = torch.randint(len(self._frames), (_BATCH,), generator=self._draws).tolist()
        frames = [self._frames[index] for index in chosen]
        labels = [self._base.answers.begin(frame)["label_map"].astype(np.int64) for frame in frames]
        pictures = torch.from_numpy(np.stack(frames))
        return as_frames(pictures, self._case.pictures), torch.from_numpy(np.stack(labels))


def _learn(student: LabelStudent, labelled: _Labelled, steps: int, *, rate: float) -> None:
    """Learn the labels by cross entropy; the rate rises and falls once."""
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=max(rate, 1e-12), total_steps=steps + 1)
    student.train()
    for _ in range(steps):
        frames, labels = labelled.batch()
        optimiser.zero_grad()
        F.cross_entropy(student(frames), labels).backward()
        optimiser.step()
        schedule.step()
    student.eval()
