"""Test clips with their frames, what is true of them and the predictions of every variant, for pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deltadistill.data.frame_times import frames_per_second
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame, Manifest
from deltadistill.pipeline.report.box_scene import BoxScene
from deltadistill.pipeline.report.label_scene import LabelScene
from deltadistill.pipeline.results.examples import read_examples
from deltadistill.pipeline.results.variants import Variants, leading

CACHE_BYTES = 64 * 2**20  # pictures show each frame once
Scene = LabelScene | BoxScene


def read_scenes(
    artifacts: Path, *, data: Path, seed: int, variants: Variants, period: int
) -> tuple[Scene, ...]:
    """Read the example predictions of one seed with the frames they belong to.

    Raises ValueError naming the file, the fault and the stage that makes it.
    """
    store = FrameStore(Manifest.read(data / "manifest.csv"), cache_bytes=CACHE_BYTES)
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
        scenes.append(_scene(store, clip, period, frames, predictions, variants))
    return tuple(scenes)


def _scene(
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
    if store.manifest.info.task == "detection":
        objects = tuple(store.boxes(frame) for frame in frames) if annotated else None
        return BoxScene(clip, period, images, objects, predictions, variants, rate)
    labels = np.stack([store.label(frame).numpy() for frame in frames]) if annotated else None
    return LabelScene(clip, period, images, labels, predictions, variants, rate)
