"""Evaluation of variants: every labelled frame at every position of a sequence (§4.2)."""

import functools
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import Clips, Reference, inputs
from deltadistill.evaluation.sharing import add_up, share
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.processes import ALONE, Group
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.variants import Variant


@dataclass(frozen=True)
class Run:
    """A stream over consecutive frames of one clip, key frame first; `scored` of them count."""

    frames: tuple[Frame, ...]
    scored: tuple[bool, ...]


def scored(runs: Iterable[Run]) -> set[Frame]:
    """The frames that count in any of the runs."""
    return {frame for run in runs for frame, counts in zip(run.frames, run.scored, strict=True) if counts}


def scored_frames(clips: Clips, longest: int, *, labels_needed: bool) -> dict[str, list[int]]:
    """Positions in each clip of the frames to score: those that can stand at every distance < longest.

    One set of frames serves every sequence length, so that figures at different lengths are comparable.
    """
    return {
        name: [
            index
            for index, frame in enumerate(frames)
            if index >= longest - 1 and (frame.label is not None or not labels_needed)
        ]
        for name, frames in clips.items()
    }


def position_runs(clips: Clips, longest: int, *, labels_needed: bool) -> list[Run]:
    """Runs that put every scored frame at each distance 0 … longest − 1 from its key frame."""
    runs = []
    for name, scored in scored_frames(clips, longest, labels_needed=labels_needed).items():
        wanted = set(scored)
        starts = sorted({index - distance for index in scored for distance in range(longest)})
        for start in starts:
            last = max(index for index in scored if index < start + longest)
            span = range(start, last + 1)
            runs.append(Run(tuple(clips[name][i] for i in span), tuple(i in wanted for i in span)))
    return runs


def score_positions(
    variant: Variant,
    task: Segmentation,
    store: FrameStore,
    runs: Sequence[Run],
    reference: Reference,
    *,
    longest: int,
    batch: int,
    progress: Callable[[Iterable], Iterable] = iter,
    group: Group = ALONE,
) -> dict[str, list[ConfusionMatrix]]:
    """Confusion matrices of every clip, one per distance to the key frame, 0 … longest − 1.

    The variant's period must be at least `longest`, so that only a run's first frame is a key frame.
    group: processes that share the batches; each gets all matrices.
    """
    if not variant.uses_history:
        single = _score_single_frames(variant, task, store, runs, reference, batch, progress, group)
        return {clip: [matrix] * longest for clip, matrix in single.items()}
    matrices = {run.frames[0].clip: [task.metric() for _ in range(longest)] for run in runs}
    for together in progress(share(list(_of_equal_length(runs, batch)), group)):
        variant.reset()
        for distance in range(len(together[0].frames)):
            labels = variant.predict(inputs(store, [run.frames[distance] for run in together]))
            for run, prediction in zip(together, labels, strict=True):
                frame = run.frames[distance]
                if run.scored[distance]:
                    matrices[frame.clip][distance].update(prediction, reference(frame))
    add_up([matrix for of_clip in matrices.values() for matrix in of_clip], group)
    return matrices


def over_all_clips(matrices: Mapping[str, Sequence[ConfusionMatrix]]) -> list[ConfusionMatrix]:
    """Sum the matrices of all clips, distance by distance."""
    return [
        functools.reduce(operator.add, at_distance) for at_distance in zip(*matrices.values(), strict=True)
    ]


def scores_by_length(
    matrices: Mapping[str, Sequence[ConfusionMatrix]], lengths: Iterable[int], classes: Sequence[str]
) -> dict[int, dict[str, object]]:
    """Scores at every sequence length, percent: over all clips together, and the mIoU of each clip."""
    together = over_all_clips(matrices)
    return {
        length: {
            **length_scores(together, length, classes),
            "miou_per_clip": {
                clip: length_scores(of_clip, length, classes)["miou"] for clip, of_clip in matrices.items()
            },
        }
        for length in lengths
    }


def length_scores(
    matrices: Sequence[ConfusionMatrix], length: int, classes: Sequence[str]
) -> dict[str, object]:
    """Scores at one sequence length, percent: mIoU averaged over the positions, as the paper does.

    IoU per class is averaged over positions likewise; a class absent from the labels is None.
    """
    positions = matrices[:length]
    per_class = torch.stack([matrix.iou() for matrix in positions]).nanmean(0)
    miou = [100 * matrix.miou() for matrix in positions]
    return {
        "miou": sum(miou) / length,
        "iou": {
            name: None if value.isnan() else 100 * value.item()
            for name, value in zip(classes, per_class, strict=True)
        },
        "miou_per_distance": miou,
    }


def _score_single_frames(
    variant: Variant,
    task: Segmentation,
    store: FrameStore,
    runs: Sequence[Run],
    reference: Reference,
    batch: int,
    progress: Callable[[Iterable], Iterable],
    group: Group,
) -> dict[str, ConfusionMatrix]:
    frames = sorted(scored(runs), key=lambda frame: (frame.clip, frame.index))
    matrices = {frame.clip: task.metric() for frame in frames}
    batches = [frames[start : start + batch] for start in range(0, len(frames), batch)]
    for some in progress(share(batches, group)):
        for frame, prediction in zip(some, variant.predict(inputs(store, some)), strict=True):
            matrices[frame.clip].update(prediction, reference(frame))
    add_up(matrices.values(), group)
    return matrices


def _of_equal_length(runs: Sequence[Run], batch: int) -> Iterator[list[Run]]:
    by_length = defaultdict(list)
    for run in runs:
        by_length[len(run.frames)].append(run)
    for _, equal in sorted(by_length.items()):
        for start in range(0, len(equal), batch):
            yield equal[start : start + batch]
