"""examples.npz of a sweep: the predictions of some test clips, checked before they are unpacked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deltadistill.data.frames import FrameStore
from deltadistill.files.arrays import Check, array_names, read_arrays
from deltadistill.pipeline.results.files import require

_LONGEST_NAME = 4 * 1000  # bytes of a clip's name, four a character
_MOST_BOXES = 10_000  # of a frame
_MOST_GUESSES = 100  # of a frame


def read_examples(path: Path, variant: str, period: int, store: FrameStore) -> dict[str, np.ndarray]:
    """Clip → predictions (F, …) of a stream of the given period; a per-frame variant may have one only.

    Labels uint8 (F, H, W), boxes float32 (F, n, 6), see report.box_scene, or guesses float32 (F, k, 2).
    Raises ValueError naming the file, the fault and the stage that makes it.
    """
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
    clips = store.manifest.clips("test")
    most, longest = len(clips), max(map(len, clips.values()), default=0)
    form = _FORMS[store.manifest.info.task]
    check = form.check(most, longest, store.size)
    arrays = read_arrays(path, {"clips": _names(most), key: check}, remedy=remedy)
    if len(arrays["clips"]) != len(arrays[key]):
        raise ValueError(f"{path} names {len(arrays['clips'])} clips and has {len(arrays[key])}; {remedy}")
    if not form.fits(arrays[key], len(store.classes)):
        what = f"{form.what} of {len(store.classes)} classes"
        raise ValueError(f"{path} holds numbers that are no {what}; {remedy}")
    return dict(zip(map(str, arrays["clips"]), arrays[key], strict=True))


def _names(most: int) -> Check:
    def check(dtype: np.dtype, shape: tuple[int, ...]) -> str | None:
        fits = dtype.kind == "U" and len(shape) == 1 and shape[0] <= most and dtype.itemsize <= _LONGEST_NAME
        return None if fits else f"the names of at most {most} test clips"

    return check


def _labels(most: int, longest: int, size: tuple[int, int]) -> Check:
    def check(dtype: np.dtype, shape: tuple[int, ...]) -> str | None:
        fits = dtype == np.uint8 and len(shape) == 4 and shape[0] <= most and shape[1] <= longest
        return (
            None if fits and shape[2:] == size else f"uint8 ({most}, {longest}, {size[0]}, {size[1]}) at most"
        )

    return check


def _boxes(most: int, longest: int, size: tuple[int, int]) -> Check:
    def check(dtype: np.dtype, shape: tuple[int, ...]) -> str | None:
        fits = dtype == np.float32 and len(shape) == 4 and shape[0] <= most and shape[1] <= longest
        fits = fits and shape[2] <= _MOST_BOXES and shape[3] == 6
        return None if fits else f"float32 ({most}, {longest}, {_MOST_BOXES}, 6) at most"

    return check


def _are_boxes(boxes: np.ndarray, classes: int) -> bool:
    numbers = boxes[..., 5]
    return bool(np.isfinite(boxes).all() and np.isin(numbers, np.arange(-1, classes)).all())


def _rankings(most: int, longest: int, size: tuple[int, int]) -> Check:
    def check(dtype: np.dtype, shape: tuple[int, ...]) -> str | None:
        fits = dtype == np.float32 and len(shape) == 4 and shape[0] <= most and shape[1] <= longest
        fits = fits and 1 <= shape[2] <= _MOST_GUESSES and shape[3] == 2
        return None if fits else f"float32 ({most}, {longest}, {_MOST_GUESSES}, 2) at most"

    return check


def _are_rankings(guesses: np.ndarray, classes: int) -> bool:
    return bool(np.isfinite(guesses).all() and np.isin(guesses[..., 0], np.arange(classes)).all())


@dataclass(frozen=True)
class _Form:
    """How the predictions of a task look: a check of the array's form, and one of its numbers."""

    what: str
    check: Callable[[int, int, tuple[int, int]], Check]
    fits: Callable[[np.ndarray, int], bool]


_FORMS = {
    "segmentation": _Form("labels", _labels, lambda labels, classes: True),
    "detection": _Form("boxes", _boxes, _are_boxes),
    "classification": _Form("guesses", _rankings, _are_rankings),
}
