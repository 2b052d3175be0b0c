"""Test clips with their frames, what is true of them and the predictions of every variant, for pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deltadistill.data.frame_times import frames_per_second
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame, Manifest
from deltadistill.pipeline.report.box_scene import BoxScene
from deltadistill.pipeline.report.class_scene import ClassScene
from deltadistill.pipeline.report.label_scene import LabelScene
from deltadistill.pipeline.results.examples import read_examples
from deltadistill.pipeline.results.variants import Variants, leading

CACHE_BYTES = 64 * 2**20  # pictures show each frame once
Scene = LabelScene | BoxScene | ClassScene


def read_scenes(
    artifacts: Path, *, data: Path, seed: int, variants: Variants, period: int, task: str | None = None
) -> tuple[Scene, ...]:
    """Read the example predictions of one seed with the frames they belong to.

    task: by the parameters, None: what the data set's description says; of maps and for a task of one's own
    there are none, since no picture can be made of its predictions.
    Raises ValueError naming the file, the fault and the stage that makes it.
    """
    store = FrameStore(Manifest.read(data / "manifest.csv"), cache_bytes=CACHE_BYTES)
    task = task or store.manifest.info.task
    if task not in _SCENES:
        return ()
    test_clips = store.manifest.clips("test")
    paths = {
        variant: artifacts / f"seed{seed}" / "sweep_sequence_length" / variant / "examples.npz"
        for variant in variants
    }
    stored = {variant: read_examples(path, variant, period, store) for variant, path in paths.items()}
    scenes = []
    teacher = leading(variants, "teacher")
    for clip in stored[teacher]:
        if clip not in test_clips:
            raise ValueError(
                f"{paths[teacher]} has predictions of {clip!r:.50}, which is no test clip; run the stage "
                "sweep_sequence_length again"
            )
        predictions = {variant: by_clip[clip] for variant, by_clip in stored.items() if clip in by_clip}
        frames = test_clips[clip][: min(len(array) for array in predictions.values())]
        predictions = {variant: array[: len(frames)] for variant, array in predictions.items()}
        scenes.append(_scene(task, store, clip, period, frames, predictions, variants))
    return tuple(scenes)


@dataclass(frozen=True)
class _Clip:
    """What any scene is made of, see LabelScene."""

    store: FrameStore
    frames: Sequence[Frame]
    common: dict[str, Any]
    annotated: bool


def _scene(
    task: str,
    store: FrameStore,
    clip: str,
    period: int,
    frames: Sequence[Frame],
    predictions: dict[str, np.ndarray],
    variants: Variants,
) -> Scene:
    images = np.stack([store.image(frame).numpy().transpose(1, 2, 0) for frame in frames])
    rate = frames_per_second([frame.seconds for frame in frames])
    annotated = all(store.is_annotated(frame) for frame in frames)
    common = {
        "clip": clip,
        "period": period,
        "images": images,
        "predictions": predictions,
        "variants": variants,
    }
    made = _Clip(store, frames, common | {"frames_per_second": rate}, annotated)
    return _SCENES[task](made)


def _boxes(clip: _Clip) -> BoxScene:
    objects = tuple(map(clip.store.boxes, clip.frames)) if clip.annotated else None
    return BoxScene(truths=objects, **clip.common)


def _labels(clip: _Clip) -> LabelScene:
    labels = [clip.store.label(frame).numpy() for frame in clip.frames] if clip.annotated else None
    return LabelScene(truths=None if labels is None else np.stack(labels), **clip.common)


def _classes(clip: _Clip) -> ClassScene:
    classes = tuple(int(frame.target) for frame in clip.frames) if clip.annotated else None
    return ClassScene(truths=classes, names=clip.store.classes, **clip.common)


_SCENES: dict[str, Callable[[_Clip], Scene]] = {
    "segmentation": _labels,
    "detection": _boxes,
    "classification": _classes,
}
