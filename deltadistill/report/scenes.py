"""Test clips with their frames, labels and the predictions of every variant, for the report's pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame, Manifest
from deltadistill.reading.arrays import array_names, read_arrays
from deltadistill.report.files import require

CACHE_BYTES = 64 * 2**20  # pictures show each frame once
_LONGEST_NAME = 4 * 1000  # bytes of a clip's name, four a character


@dataclass(frozen=True)
class Scene:
    """One clip: images (F, H, W, 3) uint8, labels (F, H, W) uint8 or None, the same for each prediction.

    ``period`` is the sequence length of the streams: frames 0, period, 2 period … are key frames.
    """

    clip: str
    period: int
    images: np.ndarray
    labels: np.ndarray | None
    predictions: dict[str, np.ndarray]

    def distance(self, frame: int) -> int:
        """Frames since the last key frame."""
        return frame % self.period

    def wrong(self, variant: str, frame: int) -> np.ndarray:
        """Pixels (H, W) where the variant differs from the label, or from the teacher without labels."""
        predicted = self.predictions[variant][frame]
        if self.labels is None:
            return predicted != self.predictions["teacher"][frame]
        return (predicted != self.labels[frame]) & (self.labels[frame] != 255)


def read_scenes(
    artifacts: Path, *, data: Path, seed: int, variants: Iterable[str], period: int
) -> tuple[Scene, ...]:
    """Read the example predictions of one seed with the frames they belong to.

    Raises ValueError naming the file, the fault and the stage that makes it.
    """
    manifest = Manifest.read(data / "manifest.csv")
    store = FrameStore(manifest, cache_bytes=CACHE_BYTES)
    test_clips = manifest.clips("test")
    paths = {
        variant: artifacts / f"seed{seed}" / "sweep_sequence_length" / variant / "examples.npz"
        for variant in variants
    }
    stored = {}
    for variant, path in paths.items():
        stored[variant] = _read_examples(path, variant, period, test_clips, store.size)
    scenes = []
    for clip in stored["teacher"]:
        if clip not in test_clips:
            raise ValueError(
                f"{paths['teacher']} has predictions of {clip!r:.50}, which is no test clip; run the stage "
                "sweep_sequence_length again"
            )
        predictions = {variant: by_clip[clip] for variant, by_clip in stored.items() if clip in by_clip}
        frames = test_clips[clip][: min(len(array) for array in predictions.values())]
        images = np.stack([store.image(frame).numpy().transpose(1, 2, 0) for frame in frames])
        labelled = all(frame.label for frame in frames)
        labels = np.stack([store.label(frame).numpy() for frame in frames]) if labelled else None
        predictions = {variant: array[: len(frames)] for variant, array in predictions.items()}
        scenes.append(Scene(clip, period, images, labels, predictions))
    return tuple(scenes)


def _read_examples(
    path: Path, variant: str, period: int, test_clips: Mapping[str, Sequence[Frame]], size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Clip → predictions (F, H, W) of a stream of the given period; a per-frame variant may have one only."""
    stage = f"sweep_sequence_length ({variant})"
    remedy = f"run the stage {stage} again"
    names = array_names(require(path, stage=stage), remedy=remedy)
    keys = [name for name in names if name.startswith("predictions")]
    key = f"predictions_T{period}"
    if key not in keys and len(keys) == 1:
        key = keys[0]
    if key not in keys or "clips" not in names:
        raise ValueError(
            f"{path} holds {names}, expected clips and predictions_T{period}; {remedy} with {period} among "
            "write_report.picture_lengths"
        )
    most, longest = len(test_clips), max(map(len, test_clips.values()), default=0)

    def names_of_clips(dtype: np.dtype, shape: tuple[int, ...]) -> str | None:
        fits = dtype.kind == "U" and len(shape) == 1 and shape[0] <= most and dtype.itemsize <= _LONGEST_NAME
        return None if fits else f"the names of at most {most} test clips"

    def labels(dtype: np.dtype, shape: tuple[int, ...]) -> str | None:
        fits = dtype == np.uint8 and len(shape) == 4 and shape[0] <= most and shape[1] <= longest
        return (
            None if fits and shape[2:] == size else f"uint8 ({most}, {longest}, {size[0]}, {size[1]}) at most"
        )

    arrays = read_arrays(path, {"clips": names_of_clips, key: labels}, remedy=remedy)
    if len(arrays["clips"]) != len(arrays[key]):
        raise ValueError(f"{path} names {len(arrays['clips'])} clips and has {len(arrays[key])}; {remedy}")
    return dict(zip(map(str, arrays["clips"]), arrays[key], strict=True))
